package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/output"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/load/pace"
	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// followTime is how long the first watch may take.
const followTime = 10 * time.Second

func newPace(o *cli.Options) *cobra.Command {
	var namespace string
	var slo time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:   "pace [KUSTOMIZATION]",
		Short: "Show live how long a Kustomization waits",
		Long: `Follows a Kustomization until Ctrl-C, and shows how long it waits between a new
revision, or a request to reconcile, and its reconciliation. --slo is the longest
wait that you promise. The default Kustomization is apps.`,
		Example: `  fluxdemo pace
  fluxdemo pace apps --slo 5s
  fluxdemo pace infra --once`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "apps"
			if len(args) > 0 {
				name = args[0]
			}
			if slo <= 0 {
				return cli.Usage(fmt.Errorf("--slo %s: must be greater than 0", slo))
			}
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return err
			}
			followed, err := pace.NewFollowers(cmd.Context(), cluster.Kubeconfig())
			if err != nil {
				return err
			}
			key := client.ObjectKey{Namespace: namespace, Name: name}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), followTime, fmt.Errorf("not within %s", followTime))
			defer cancel()
			if err := pace.Check(ctx, followed.Client, key); err != nil {
				return err
			}
			p := followed.Of(key.String())
			if err := p.AwaitWatching(ctx); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Following %s. Press Ctrl-C to stop.\n", name)
			return showPace(cmd.Context(), cmd.OutOrStdout(), name, p, slo, once)
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", demo.FluxNamespace, "namespace of the Kustomization")
	cmd.Flags().DurationVar(&slo, "slo", 5*time.Second, "longest wait that you promise")
	cmd.Flags().BoolVar(&once, "once", false, "exit after the first wait")
	return cmd
}

// showPace writes a line for each wait that has ended and, on a terminal, a
// chart of blocks that it redraws. It returns when ctx ends, or with once
// after the first wait.
func showPace(ctx context.Context, out io.Writer, name string, p *pace.Pace, slo time.Duration, once bool) error {
	tty, live := output.Terminal(out)
	if live {
		out, name = tty, plaintext.Line(name)
	}
	const columns, frame = 40, 200 * time.Millisecond
	ticker := time.NewTicker(frame) // the line moves with the time
	defer ticker.Stop()
	var reported time.Time // the answer of the last line
	for {
		last, some, changed := p.Last()
		if some && !last.Answered.IsZero() && last.Answered != reported {
			reported = last.Answered
			mark := "✓"
			if last.Took(reported) > slo {
				mark = "✗"
			}
			sum := p.Percentiles()
			if live {
				fmt.Fprint(out, "\r\x1b[K")
			}
			fmt.Fprintf(out, "%s %s %s waited %.1f s (p50 %.1f, p99 %.1f of %d; SLO %s)\n",
				reported.Format(time.TimeOnly), mark, name, last.Took(reported).Seconds(), sum.P50, sum.P99, sum.Count, slo)
			if once {
				return nil
			}
		}
		if live {
			now := time.Now()
			waiting := ""
			if some && last.Answered.IsZero() {
				waiting = fmt.Sprintf(" waits %.0f s", last.Took(now).Seconds())
			}
			fmt.Fprintf(out, "\r\x1b[K%s %s%s", name, p.Line(now, columns, 2*slo), waiting)
		}
		select {
		case <-ctx.Done():
			if live {
				fmt.Fprintln(out)
			}
			return nil // Ctrl-C is how it ends
		case <-changed:
		case <-ticker.C:
		}
	}
}
