package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// Running returns the cluster that the flags name, or an error that
// says what to do if it does not run.
func (o *Options) Running(ctx context.Context) (clusters.Cluster, error) {
	cluster, err := o.Cluster()
	if err != nil {
		return nil, err
	}
	status, err := cluster.Status(ctx)
	switch {
	case errors.Is(err, clusters.ErrNotFound):
		return nil, UnknownCluster(o.Name)
	case err != nil:
		return nil, err
	case !status.Running:
		return nil, fmt.Errorf("the cluster %q is stopped; `fluxdemo up --name %s` starts it", o.Name, o.Name)
	}
	return cluster, nil
}

// PrepareShell returns what commands need to work with the demo.
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

// UnknownCluster says what to do about a name that no cluster has.
func UnknownCluster(name string) error {
	return fmt.Errorf("there is no cluster %q; `fluxdemo up --name %s` makes one", name, name)
}
