package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// Running returns the cluster that the flags name. It fails if the cluster
// does not run; the error says what to do.
func (o *Options) Running(ctx context.Context) (clusters.Cluster, error) {
	cluster, err := o.Cluster()
	if err != nil {
		return nil, err
	}
	status, err := cluster.Status(ctx)
	switch {
	case errors.Is(err, clusters.ErrNotFound):
		return nil, o.UnknownCluster()
	case err != nil:
		return nil, err
	case !status.Running:
		return nil, fmt.Errorf("the cluster %q is stopped; `fluxdemo up --name %s` starts it", o.Name, o.Name)
	}
	return cluster, nil
}

// WithGitHost returns the cluster that the flags name, as Running does, a client for it, and the demo's URLs. Without a
// Git host it fails.
func (o *Options) WithGitHost(ctx context.Context) (clusters.Cluster, client.WithWatch, demo.URLs, error) {
	cluster, err := o.Running(ctx)
	if err != nil {
		return nil, nil, demo.URLs{}, err
	}
	c, err := demo.Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, nil, demo.URLs{}, err
	}
	urls, err := demo.FindURLs(ctx, c, cluster)
	if err == nil && urls.Git == "" {
		err = errors.New("the Git host is missing; `fluxdemo up` repairs it")
	}
	return cluster, c, urls, err
}

// PrepareShell prepares the programs and settings that commands need to work
// with the demo.
func (o *Options) PrepareShell(ctx context.Context, cluster clusters.Cluster) (*shell.Demo, error) {
	c, err := demo.Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, err
	}
	b, exe, err := o.programs()
	if err != nil {
		return nil, err
	}
	return shell.Prepare(ctx, cluster, c, b, exe)
}

// UnknownCluster returns the error for a name that no cluster has. It names those that there are.
func (o *Options) UnknownCluster() error {
	from := ""
	if set := os.Getenv(shell.NameVar); set == o.Name {
		from = ", which $" + shell.NameVar + " names"
	}
	there := ""
	if names := o.Names(); len(names) > 0 {
		there = "; choose one with --name: " + strings.Join(names, ", ")
	}
	return fmt.Errorf("there is no cluster %q%s%s; `fluxdemo up --name %s` starts one", o.Name, from, there, o.Name)
}

// Names lists the clusters of this user, running or not, in the order of their names.
func (o *Options) Names() []string {
	entries, err := os.ReadDir(StateDir())
	if err != nil {
		return nil // there is no state, so there is no cluster
	}
	var names []string
	for _, entry := range entries { // ReadDir sorts
		if clusters.CheckName(entry.Name()) != nil {
			continue
		}
		if _, is := o.Providers().Of(entry.Name()); is {
			names = append(names, entry.Name())
		}
	}
	return names
}

// Every returns the cluster of each of Names.
func (o *Options) Every() ([]clusters.Cluster, error) {
	if err := CheckStateDir(); err != nil {
		return nil, err
	}
	var all []clusters.Cluster
	for _, name := range o.Names() {
		provider, is := o.Providers().Of(name)
		if !is {
			continue // it was removed just now
		}
		cluster, err := provider.New(name)
		if err != nil {
			return nil, err
		}
		all = append(all, cluster)
	}
	return all, nil
}
