package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/demo/setup"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

func newClone(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "clone DIR",
		Short: "Clone the demo's Git repository, ready to push",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
				return usageError{fmt.Errorf("%s is there already and not empty", dir)}
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return usageError{err}
			}
			cluster, err := o.runningCluster(cmd.Context())
			if err != nil {
				return err
			}
			c, err := setup.Connect(cluster.Kubeconfig())
			if err != nil {
				return err
			}
			urls, err := setup.FindURLs(cmd.Context(), c, cluster)
			if err != nil {
				return err
			}
			if urls.Git == "" {
				return errors.New("the Git host is not there; `fluxdemo up` repairs it")
			}
			helper, err := shell.CredentialHelper(cmd.Context(), cluster, c, urls.Git)
			if err != nil {
				return err
			}
			git := func(args ...string) error {
				run := exec.CommandContext(cmd.Context(), "git", args...)
				run.Stdout, run.Stderr = cmd.ErrOrStderr(), cmd.ErrOrStderr()
				if err := run.Run(); err != nil {
					return fmt.Errorf("git %s: %w", args[0], err)
				}
				return nil
			}
			// The helper stands in the clone's own configuration: pushing
			// works from any shell, and the user's configuration is left alone.
			if err := git("clone", "--quiet", "--config", "credential.helper="+helper, urls.Git, dir); err != nil {
				return err
			}
			if exec.CommandContext(cmd.Context(), "git", "-C", dir, "config", "user.email").Run() != nil {
				for key, value := range map[string]string{"user.name": "Demo", "user.email": "demo@localhost"} {
					if err := git("-C", dir, "config", key, value); err != nil {
						return err
					}
				}
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Cloned. Change %s/apps/demo/app/app.env, commit and push.\n", dir)
			return nil
		},
	}
}
