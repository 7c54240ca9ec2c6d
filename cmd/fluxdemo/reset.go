package main

import (
	"fmt"
	"io"
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

Outside of the namespaces app and playground, reset removes only what carries
the label of a walk. It lists everything else that was created since up.

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
				return fmt.Errorf("removing the files of walks: %w", err)
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
			printKept(cmd.ErrOrStderr(), cluster, left)
			fmt.Fprintf(cmd.ErrOrStderr(), "Reset in %.1f s.\n", time.Since(start).Seconds())
			return nil
		},
	}
	o.AddYes(cmd)
	return cmd
}

// mostKept is how many objects reset names on a cluster of the demo's own.
const mostKept = 20

// printKept lists what reset has left alone.
func printKept(out io.Writer, cluster clusters.Cluster, left []ownership.Left) {
	if _, guest := cluster.(clusters.Guest); guest || len(left) == 0 {
		cli.PrintLeft(out, left)
		return
	}
	cli.PrintLeft(out, left[:min(mostKept, len(left))])
	if more := len(left) - mostKept; more > 0 {
		fmt.Fprintf(out, "And %d more. ", more)
	}
	fmt.Fprintln(out, "Remove what you no longer need with kubectl delete.")
}

// confirmReset asks before it changes a cluster that is not the demo's own.
func confirmReset(o *cli.Options, cmd *cobra.Command, cluster clusters.Cluster) error {
	if _, guest := cluster.(clusters.Guest); !guest {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This cluster is not fluxdemo's own. In the namespaces\n%s,\nreset restores what the demo created and keeps everything else.\n\n",
		strings.Join(demo.Namespaces(), ", "))
	return o.Confirm(cmd, "Reset the demo?")
}
