package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/demo/benchmark"
	"github.com/fluxdemo/fluxdemo/demo/setup"
)

func newReset(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "reset",
		Short: "Bring the demo back to how it was right after up, in place",
		Long: `Brings the demo back to how it was right after up, without a new cluster: the
Git repository to the commit that up pushed first, whatever has become of its
history, Flux to what that says, and everything away that was put beside it. Walks that are half done start anew.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			cluster, err := o.runningCluster(cmd.Context())
			if err != nil {
				return err
			}
			unlock, err := lockCluster(cluster)
			if err != nil {
				return err
			}
			defer unlock()
			if err := os.RemoveAll(filepath.Join(cluster.Dir(), "walks")); err != nil {
				return fmt.Errorf("removing what walks have left: %w", err)
			}
			install, err := o.installManifests()
			if err != nil {
				return err
			}
			steps := newStepPrinter(cmd.ErrOrStderr())
			if err = benchmark.Clean(cmd.Context(), cluster, install, steps); err == nil {
				err = setup.Reset(cmd.Context(), cluster, steps)
			}
			steps.close()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "As new in %.1f s.\n", time.Since(start).Seconds())
			return nil
		},
	}
}
