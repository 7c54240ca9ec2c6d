package main

import (
	"log"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/programs"
)

// newSupervise makes the command that `up` starts in the background for an
// embedded cluster; see embedded.Supervise.
func newSupervise() *cobra.Command {
	var o embedded.SuperviseOptions
	var bundleDir string
	cmd := &cobra.Command{
		Use:    "supervise",
		Short:  "Run an embedded cluster (started by up)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := bundle.Find(bundleDir)
			if err != nil {
				return err
			}
			exe, err := cli.Program()
			if err != nil {
				return err
			}
			o.Bundle, o.Programs, o.Version, o.Logf = b, programs.All(b, exe), programVersion(), log.New(os.Stderr, "", log.LstdFlags|log.LUTC).Printf
			return embedded.Supervise(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder of the cluster")
	cmd.Flags().StringVar(&bundleDir, "bundle", "", "folder of the bundle")
	cmd.Flags().BoolVar(&o.AllowEgress, "allow-egress", false, "let pods reach the internet")
	cmd.Flags().BoolVar(&o.NoFence, "no-fence", false, "do not confine pods")
	cmd.Flags().IntVar(&o.Port, "port", 0, "port of the API server")
	_ = cmd.MarkFlagRequired("dir") // fails only if there is no such flag
	return cmd
}
