package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
)

func newEnv(o *cli.Options) *cobra.Command {
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
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return err
			}
			demo, err := o.PrepareShell(cmd.Context(), cluster)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), demo.Interactive(cmd.Context(), os.Environ()).Export())
			return nil
		},
	}
}
