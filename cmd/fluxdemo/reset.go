package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/load/benchmark"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/reset"
)

func newReset(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Restore the demo to its state right after up",
		Long: `Restores the demo to its state right after up, without a new cluster: the Git
repository returns to the first commit that up pushed, whatever its history is
now, Flux applies that commit, and everything that was added is removed. Walks
that are not finished start again.

On an existing cluster, reset asks first, removes only what is provably the
demo's, and lists what it leaves.`,
		Example: `  fluxdemo reset
  fluxdemo reset --name second`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return err
			}
			unlock, err := cli.Lock(cluster)
			if err != nil {
				return err
			}
			defer unlock()
			if err := confirmReset(o, cmd, cluster); err != nil {
				return err
			}
			if err := os.RemoveAll(filepath.Join(cluster.Dir(), cli.WalksFolder)); err != nil {
				return fmt.Errorf("removing what walks have left: %w", err)
			}
			install, err := o.InstallManifests()
			if err != nil {
				return err
			}
			steps := progress.New(cmd.ErrOrStderr())
			var left []ownership.Left
			if err = benchmark.Clean(cmd.Context(), cluster, install, steps); err == nil {
				left, err = reset.Run(cmd.Context(), cluster, steps)
			}
			steps.Close()
			if err != nil {
				return err
			}
			cli.PrintLeft(cmd.ErrOrStderr(), left)
			fmt.Fprintf(cmd.ErrOrStderr(), "As new in %.1f s.\n", time.Since(start).Seconds())
			return nil
		},
	}
	o.AddYes(cmd)
	return cmd
}

// confirmReset asks before it changes a cluster that others use too.
func confirmReset(o *cli.Options, cmd *cobra.Command, cluster clusters.Cluster) error {
	if _, guest := cluster.(clusters.Guest); !guest {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This cluster is not fluxdemo's own. In the namespaces %s,\nwhat the demo has made is set back. What others have made stays.\n\n",
		strings.Join(demo.Namespaces(), ", "))
	return o.Confirm(cmd, "Reset the demo there?")
}
