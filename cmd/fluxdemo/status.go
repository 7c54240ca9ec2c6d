package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/status"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

func newStatus(o *cli.Options) *cobra.Command {
	var output string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show components, Flux objects, and URLs",
		Long: `Shows each component with its process, memory and uptime, the objects that Flux
reconciles, and the URLs of what runs. What should be there and is not has a row
too. What has a process that does not answer is NotAnswering, and status says
since when. The exit code is 1 if something is not well.

With --watch, status looks every second, and prints the whole again when
something other than uptime and memory has changed, until you press Ctrl-C.`,
		Example: `  fluxdemo status
  fluxdemo status --watch
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
			if watch {
				return watchStatus(cmd, o, cluster, output)
			}
			demo, err := collectStatus(cmd.Context(), o, cluster)
			if err != nil {
				return err
			}
			if err := status.Print(cmd.OutOrStdout(), demo, output, o.Called()); err != nil {
				return err
			}
			if !demo.Healthy() {
				return exitCode(exitFailure)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "print the status again whenever it changes")
	cli.AddOutput(cmd, &output, status.Formats()...)
	return cmd
}

func collectStatus(ctx context.Context, o *cli.Options, cluster clusters.Cluster) (health.Status, error) {
	demo, err := health.Collect(ctx, cluster)
	if errors.Is(err, clusters.ErrNotFound) {
		return demo, o.UnknownCluster()
	}
	ownVersions(demo.Cluster.Components)
	return demo, err
}

// statusAgain is the pause between two looks: nothing announces that a process has stopped answering.
const statusAgain = time.Second

// watchStatus prints the status whenever it has changed, until the user ends it. What it cannot read, it prints too: the
// cluster may be restarting.
func watchStatus(cmd *cobra.Command, o *cli.Options, cluster clusters.Cluster, output string) error {
	var shown string
	for {
		demo, err := collectStatus(cmd.Context(), o, cluster)
		if cmd.Context().Err() != nil {
			return nil
		}
		now, ticking := fmt.Sprint(err), ""
		if err == nil {
			if now, err = printed(status.Steady(demo), output, o); err != nil {
				return err
			}
			if ticking, err = printed(demo, output, o); err != nil {
				return err
			}
		}
		if now != shown {
			shown = now
			fmt.Fprintf(cmd.ErrOrStderr(), "--- %s\n", time.Now().Format(time.TimeOnly))
			if err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), err)
			}
			fmt.Fprint(cmd.OutOrStdout(), ticking)
		}
		if !backoff.Pause(cmd.Context(), statusAgain) {
			return nil
		}
	}
}

func printed(demo health.Status, output string, o *cli.Options) (string, error) {
	var text strings.Builder
	err := status.Print(&text, demo, output, o.Called())
	return text.String(), err
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
