package main

import (
	"log"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/existing"
)

// newForward makes the command that `up` starts in the background for an
// existing cluster; see existing.Forward.
func newForward() *cobra.Command {
	var o existing.ForwardOptions
	cmd := &cobra.Command{
		Use:    "forward",
		Short:  "Forward the ports of an existing cluster (started by up)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Logf = log.New(os.Stderr, "", log.LstdFlags|log.LUTC).Printf
			return existing.Forward(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder of the cluster")
	cmd.Flags().StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig of the cluster")
	cmd.Flags().StringSliceVar(&o.Namespaces, "namespaces", nil, "namespaces whose Services are forwarded")
	for _, name := range []string{"dir", "kubeconfig", "namespaces"} {
		_ = cmd.MarkFlagRequired(name) // fails only if there is no such flag
	}
	return cmd
}
