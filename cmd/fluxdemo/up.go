package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/called"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/status"
)

func newUp(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start or repair the cluster, Flux, and the demo",
		Long: `Starts a cluster with Flux, a Git host, an inbox for notifications, and a sample
app that Flux deploys. If the demo is running, up repairs what is broken and
returns at once. Ctrl-C stops the wait; the next up continues from there.

up uses kind when a container engine is running and has the node image, and the
embedded cluster, which needs no containers, otherwise. --cluster overrides
that.`,
		Example: `  fluxdemo up
  fluxdemo up --cluster embedded
  fluxdemo up --cluster existing --context my-cluster`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			start := time.Now()
			if o.Port < 0 || o.Port > 65535 {
				return cli.Usage(fmt.Errorf("--port=%d: must be from 1 to 65535, or 0 for any free port", o.Port))
			}
			if err := o.Choose(cmd.Context(), cmd.ErrOrStderr()); err != nil {
				return err
			}
			cluster, err := o.Cluster()
			if err != nil {
				return err
			}
			if err := o.CheckProviderFlags(cmd); err != nil {
				return err
			}
			upstream, err := o.Upstream(cmd.Context(), cluster)
			if err != nil {
				return err
			}
			if err := o.ConfirmEnter(cmd, cluster); err != nil {
				return err
			}
			steps := progress.New(cmd.ErrOrStderr())
			urls, err := o.Up(cmd.Context(), cluster, upstream, steps)
			steps.Close()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Ready in %.1f s.\n\n", time.Since(start).Seconds())
			if open, ok := cluster.(confined); ok {
				if why := open.Unfenced(cmd.Context()); why != "" {
					fmt.Fprintf(cmd.ErrOrStderr(), "Pods are not confined (%s):\nthey can do on this machine what you can.\n\n", why)
				}
			}
			status.PrintURLs(cmd.OutOrStdout(), urls)
			printNext(cmd.ErrOrStderr(), o.Called())
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.AllowEgress, "allow-egress", false, "embedded: let pods reach the internet (blocked by default)")
	cmd.Flags().BoolVar(&o.NoFence, "no-fence", false, "embedded: let pods reach your files, programs, and ports (Linux confines them by default)")
	cmd.Flags().IntVar(&o.Port, "port", 0, "port of the API server on 127.0.0.1 (default: any free port)")
	cmd.Flags().StringVar(&o.GitURL, "git-url", "", "empty Git repository of yours for Flux to follow; its token is read from $"+cli.GitTokenVar)
	o.AddProviderFlags(cmd)
	return cmd
}

// confined is a cluster whose pods are processes of this machine, and that says why they are not confined, if so.
type confined interface {
	Unfenced(ctx context.Context) string
}

// printNext says what to type next, for a speaker, an attendee, and whoever has a shell.
func printNext(out io.Writer, program called.Program) {
	fmt.Fprintln(out, "\nNext:")
	for _, next := range []struct{ who, command string }{
		{"on stage", program.Command("walk gitops")},
		{"to learn", program.Command("learn gitops")},
		{"in a shell", "eval \"$(" + program.Command("env") + ")\""},
	} {
		fmt.Fprintf(out, "  %-10s %s\n", next.who, next.command)
	}
}
