// Package waiting has the commands that wait: `fluxdemo wait` for what kubectl and flux cannot wait for, and `fluxdemo
// reconcile`, which ends as soon as Flux is done. Walks use both.
package waiting

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fluxdemo/fluxdemo/demo/wait"
)

// New returns the command `fluxdemo wait` with its subcommands.
func New() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait",
		Short: "Wait for a page, a notification, or a webhook",
		Example: `  fluxdemo wait page "$APP_URL" --contains tomato
  fluxdemo wait notification "$INBOX_URL" --object apps`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWaitPage(), newWaitNotification(), newWaitDelivery())
	return cmd
}

func newWaitPage() *cobra.Command {
	var contains string
	var timeout time.Duration
	var tell bool
	cmd := &cobra.Command{
		Use:   "page URL",
		Short: "Wait until a web page contains a text",
		Example: `  fluxdemo wait page "$APP_URL" --contains tomato
  fluxdemo wait page "$APP_URL" --timeout 10s --time`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("not within %s", timeout))
			defer cancel()
			start := time.Now()
			if err := wait.Page(ctx, args[0], contains); err != nil {
				return err
			}
			if tell {
				fmt.Fprintf(cmd.OutOrStdout(), "%.2f\n", time.Since(start).Seconds())
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&contains, "contains", "", "text that the page must contain")
	cmd.Flags().BoolVar(&tell, "time", false, "print the elapsed seconds")
	addTimeout(cmd.Flags(), &timeout, 30*time.Second)
	return cmd
}

func newWaitNotification() *cobra.Command {
	var match wait.Match
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "notification INBOX-URL",
		Short: "Wait for a notification in the inbox and print it",
		Example: `  fluxdemo wait notification "$INBOX_URL" --object apps
  fluxdemo wait notification "$INBOX_URL" --severity error --timeout 1m`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("not within %s", timeout))
			defer cancel()
			notice, err := wait.Notification(ctx, args[0], match)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), wait.Describe(notice))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&match.Kind, "kind", "", "kind of the object")
	flags.StringVar(&match.Name, "object", "", "name of the object")
	flags.StringVar(&match.Reason, "reason", "", "reason, for example ReconciliationSucceeded")
	flags.StringVar(&match.Severity, "severity", "", "severity; valid values: info, error")
	flags.StringVar(&match.Revision, "revision", "", "revision, for example main@sha1:4f2a...")
	flags.StringVar(&match.Contains, "contains", "", "part of the message")
	addTimeout(flags, &timeout, 30*time.Second)
	return cmd
}

func newWaitDelivery() *cobra.Command {
	var match wait.Webhook
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "delivery REPOSITORY-URL",
		Short: "Wait for a webhook delivery and print its result",
		Example: `  fluxdemo wait delivery "$FLEET_URL" --status 200
  fluxdemo wait delivery "$FLEET_URL" --commit "$(git rev-parse HEAD)"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("not within %s", timeout))
			defer cancel()
			delivery, err := wait.Delivery(ctx, args[0], match)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), wait.DescribeDelivery(delivery))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&match.Commit, "commit", "", "full hash of the pushed commit")
	flags.IntVar(&match.Status, "status", 0, "HTTP status of the answer, for example 200")
	addTimeout(flags, &timeout, 30*time.Second)
	return cmd
}

func addTimeout(flags *pflag.FlagSet, timeout *time.Duration, usually time.Duration) {
	flags.DurationVar(timeout, "timeout", usually, "how long to wait")
}
