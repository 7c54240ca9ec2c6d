package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

func newClone(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "clone DIR",
		Short: "Clone the demo's Git repository, ready to push",
		Long: `Clones the demo's Git repository so that you can push from any shell. The
settings for that are in the clone's own configuration, which overrides yours.
Nothing outside the clone is written.`,
		Example: `  fluxdemo clone my-fleet
  cd my-fleet && git log`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
				return cli.Usage(fmt.Errorf("%s is there already and not empty", dir))
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cli.Usage(err)
			}
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return err
			}
			c, err := demo.Connect(cluster.Kubeconfig())
			if err != nil {
				return err
			}
			urls, err := demo.FindURLs(cmd.Context(), c, cluster)
			if err != nil {
				return err
			}
			if urls.Git == "" {
				return errors.New("the Git host is not there; `fluxdemo up` repairs it")
			}
			helper, err := shell.CredentialHelper(cmd.Context(), cluster, c)
			if err != nil {
				return err
			}
			if err := shell.Clone(cmd.Context(), urls.Git, dir, helper, os.Environ(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Cloned. Change %s/apps/demo/app/app.env, commit and push.\n", dir)
			return nil
		},
	}
}
