package existing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// target is the cluster that a context of the user's kubeconfig names.
type target struct {
	clusters.Target
	config clientcmdapi.Config // nothing but the context
}

// Contexts lists the contexts of a kubeconfig, which is empty for what
// kubectl would read. One that cannot be read is a *clusters.UsageError.
func Contexts(kubeconfig string) ([]string, error) {
	all, err := load(kubeconfig)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(all.Contexts)), nil
}

func load(kubeconfig string) (*clientcmdapi.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	all, err := rules.Load()
	if err != nil {
		return nil, &clusters.UsageError{Err: fmt.Errorf("reading your kubeconfig: %w", err)}
	}
	return all, nil
}

// Target implements clusters.Guest.
func (c *Cluster) Target() (clusters.Target, error) {
	t, err := c.target()
	return t.Target, err
}

// target reads the user's kubeconfig. A mistake in it, or in which context was
// asked for, is a *clusters.UsageError.
func (c *Cluster) target() (target, error) {
	all, err := load(c.options.Kubeconfig)
	if err != nil {
		return target{}, err
	}
	names := slices.Sorted(maps.Keys(all.Contexts))
	listed := "valid values: " + strings.Join(names, ", ")
	if len(names) == 0 {
		listed = "your kubeconfig has none"
	}
	if c.options.Context == "" {
		// Never the current one: that is how wrong clusters are hit.
		return target{}, &clusters.UsageError{Err: errors.New("select the cluster with --context; " + listed)}
	}
	named, ok := all.Contexts[c.options.Context]
	if !ok {
		return target{}, &clusters.UsageError{Err: fmt.Errorf("there is no context %q; %s", c.options.Context, listed)}
	}
	server, ok := all.Clusters[named.Cluster]
	if !ok {
		return target{}, &clusters.UsageError{Err: fmt.Errorf("the context %q names the cluster %q, which your kubeconfig does not have", c.options.Context, named.Cluster)}
	}
	all.CurrentContext = c.options.Context
	if err := clientcmdapi.MinifyConfig(all); err != nil {
		return target{}, &clusters.UsageError{Err: fmt.Errorf("reading the context %q: %w", c.options.Context, err)}
	}
	// Certificates move in: the files that they stand in may go.
	if err := clientcmdapi.FlattenConfig(all); err != nil {
		return target{}, &clusters.UsageError{Err: fmt.Errorf("reading the context %q: %w", c.options.Context, err)}
	}
	return target{clusters.Target{Context: c.options.Context, Server: server.Server, User: named.AuthInfo}, *all}, nil
}

// write writes a kubeconfig with the context alone, for its owner only.
func (t target) write(path string) error {
	raw, err := clientcmd.Write(t.config)
	if err == nil {
		err = statefile.Write(path, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the cluster's kubeconfig: %w", err)
	}
	return nil
}
