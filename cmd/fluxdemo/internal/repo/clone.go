package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// NewClone returns the command `fluxdemo clone`.
func NewClone(o *cli.Options) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "clone DIR",
		Short: "Clone the demo's Git repository, ready to push",
		Long: `Clones the demo's Git repository so that you can push from any shell. The
settings for that are in the clone's own configuration, which overrides yours.
Nothing outside the clone is written.

After fluxdemo reset, the Git host refuses a push from an older clone, which
would bring back the commits that the reset has removed, and says what to do.`,
		Example: `  fluxdemo clone my-fleet
  cd my-fleet && git log
  fluxdemo clone my-apps --repo apps`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if err := gitapi.CheckName(name); err != nil {
				return cli.Usage(err)
			}
			if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
				return cli.Usage(fmt.Errorf("%s exists and is not empty; choose another folder", dir))
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cli.Usage(err)
			}
			cluster, c, urls, err := o.WithGitHost(cmd.Context())
			if err != nil {
				return err
			}
			helper, err := shell.CredentialHelper(cmd.Context(), cluster, c)
			if err != nil {
				return err
			}
			address := strings.TrimSuffix(urls.Git, demo.Repository) + "/" + name + ".git"
			if err := shell.Clone(cmd.Context(), address, dir, helper, os.Environ(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			if address != urls.Git {
				fmt.Fprintln(cmd.ErrOrStderr(), "Cloned.")
				return nil
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Cloned. Edit %s/apps/demo/app/app.env, commit, and push.\n", dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "repo", "fleet", "name of the repository on the Git host")
	return cmd
}
