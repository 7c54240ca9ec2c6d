package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

func newEnv(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print shell settings for kubectl, flux and git",
		Long: `Prints lines for a POSIX shell that put the demo's kubectl, flux, and fluxdemo
first on PATH, select its kubeconfig, and let git push to its repository,
whatever your own settings for git, kubectl and Flux are. Your files are not
changed. They also set FLUXDEMO_NAME: in that shell, commands without --name
use this cluster.`,
		Example: `  eval "$(fluxdemo env)"
  eval "$(fluxdemo env --name second)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return err
			}
			demo, err := o.PrepareShell(cmd.Context(), cluster)
			if err != nil {
				return err
			}
			settings := demo.Interactive(cmd.Context(), os.Environ())
			if o.BundleDir != "" {
				dir, err := filepath.Abs(o.BundleDir)
				if err != nil {
					return err
				}
				settings.Set = append(settings.Set, shell.Variable{Name: bundle.EnvVar, Value: dir})
			}
			fmt.Fprint(output.Below(cmd.OutOrStdout()), settings.Export()) // a shell reads it
			return nil
		},
	}
}
