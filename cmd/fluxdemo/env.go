package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

func newEnv(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print shell settings for kubectl, flux and git",
		Long: `Prints lines for a POSIX shell that put the demo's kubectl and flux first on
PATH, select its kubeconfig, and let git push to its repository, whatever your
own settings for git, kubectl and Flux are. Your files are not changed.`,
		Example: `  eval "$(fluxdemo env)"
  eval "$(fluxdemo env --name second)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := o.runningCluster(cmd.Context())
			if err != nil {
				return err
			}
			demo, err := o.prepareShell(cmd.Context(), cluster)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), demo.Interactive(cmd.Context(), os.Environ()).Export())
			return nil
		},
	}
}

// runningCluster returns the cluster that the flags name, or an error that
// says what to do if it does not run.
func (o *options) runningCluster(ctx context.Context) (clusters.Cluster, error) {
	cluster, err := o.cluster()
	if err != nil {
		return nil, err
	}
	status, err := cluster.Status(ctx)
	switch {
	case errors.Is(err, clusters.ErrNotFound):
		return nil, unknownCluster(o.name)
	case err != nil:
		return nil, err
	case !status.Running:
		return nil, fmt.Errorf("the cluster %q is stopped; `fluxdemo up --name %s` starts it", o.name, o.name)
	}
	return cluster, nil
}

// prepareShell returns what commands need to work with the demo.
func (o *options) prepareShell(ctx context.Context, cluster clusters.Cluster) (*shell.Demo, error) {
	c, err := demo.Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, err
	}
	b, err := bundle.Find(o.bundleDir)
	if err != nil {
		return nil, err
	}
	exe, err := program()
	if err != nil {
		return nil, err
	}
	return shell.Prepare(ctx, cluster, c, b, exe)
}
