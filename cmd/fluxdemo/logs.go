package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

func newLogs(o *cli.Options) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs [COMPONENT]",
		Short: "Print the log of a component",
		Long:  `Prints the log of a component. Without a name, it lists the components.`,
		Example: `  fluxdemo logs
  fluxdemo logs source-controller
  fluxdemo logs kube-apiserver --follow`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			status, err := cluster.Status(cmd.Context())
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return logNames(status), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return err
			}
			status, err := cluster.Status(cmd.Context())
			if err != nil {
				return err
			}
			if len(args) == 0 {
				for _, name := range logNames(status) {
					fmt.Fprintln(cmd.OutOrStdout(), name)
				}
				return nil
			}
			for _, part := range status.Components {
				if part.Namespace == "" && part.Name == args[0] {
					return cluster.Logs(cmd.Context(), args[0], follow, cmd.OutOrStdout())
				}
			}
			return health.WriteLogs(cmd.Context(), cluster.Kubeconfig(), args[0], follow, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "follow the log")
	return cmd
}

// logNames lists what has a log: the cluster's own parts and its pods.
func logNames(status clusters.Status) []string {
	var names []string
	for _, part := range status.Components {
		name := part.Name
		if part.Namespace != "" {
			name = part.Namespace + "/" + name
		}
		names = append(names, name)
	}
	return names
}
