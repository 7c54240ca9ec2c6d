package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/status"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

func newStatus(o *cli.Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show components, Flux objects, and URLs",
		Long: `Shows each component with its process, memory and uptime, the objects that Flux
reconciles, and the URLs of what runs. What should be there and is not has a row
too. The exit code is 1 if something is not well.`,
		Example: `  fluxdemo status
  fluxdemo status -o wide
  fluxdemo status -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckOutput(output, status.Formats()...); err != nil {
				return err
			}
			cluster, err := o.Cluster()
			if err != nil {
				return err
			}
			demo, err := health.Collect(cmd.Context(), cluster)
			if errors.Is(err, clusters.ErrNotFound) {
				return o.UnknownCluster()
			}
			if err != nil {
				return err
			}
			ownVersions(demo.Cluster.Components)
			if err := status.Print(cmd.OutOrStdout(), demo, output, o.Called()); err != nil {
				return err
			}
			if !demo.Healthy() {
				return exitCode(exitFailure)
			}
			return nil
		},
	}
	cli.AddOutput(cmd, &output, status.Formats()...)
	return cmd
}

// ownVersions sets the version of the demo's own services to that of this program, which they run: the tag of their
// image is always "latest".
func ownVersions(parts []clusters.Component) {
	for i := range parts {
		if parts[i].Version == "latest" {
			parts[i].Version = programVersion()
		}
	}
}
