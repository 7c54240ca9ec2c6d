package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/folder"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

func newDown(o *cli.Options) *cobra.Command {
	var keepData bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Remove the cluster and everything in it",
		Long: `Stops the cluster and removes what belongs to it. Files of yours in its folder
are kept and listed. On an existing cluster, down asks first and removes only
what up created.`,
		Example: `  fluxdemo down
  fluxdemo down --keep-data   # only stop it
  fluxdemo down --name second`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			cluster, err := o.Cluster()
			if err != nil {
				return err
			}
			unlock, err := cli.Lock(cluster)
			if err != nil {
				return err
			}
			defer unlock()
			if !keepData {
				if err := o.ConfirmLeave(cmd, cluster); err != nil {
					return err
				}
			}
			err = cluster.Down(cmd.Context(), keepData)
			if errors.Is(err, clusters.ErrNotFound) {
				return o.UnknownCluster()
			}
			if err != nil {
				return err
			}
			if keepData {
				if err := shell.ForgetLogin(cluster); err != nil {
					return err
				}
			}
			cli.PrintLeft(cmd.ErrOrStderr(), o.Left())
			what := "Removed"
			if keepData {
				what = "Stopped"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s %s in %.1f s.\n", what, o.Name, time.Since(start).Seconds())
			if left := folder.Left(cluster.Dir()); len(left) > 0 && !keepData {
				fmt.Fprintf(cmd.ErrOrStderr(), "Kept in %s: %s. fluxdemo did not create them.\n", cluster.Dir(), folder.Names(left))
			}
			return nil
		},
	}
	o.AddYes(cmd)
	cmd.Flags().BoolVar(&keepData, "keep-data", false, "only stop the cluster; the next up restores its state")
	return cmd
}
