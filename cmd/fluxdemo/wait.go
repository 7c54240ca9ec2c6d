package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fluxdemo/fluxdemo/demo/wait"
)

func newWait() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait",
		Short: "Wait for a page, a notification or a webhook, as walks do",
		Args:  cobra.NoArgs,
		RunE:  help,
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
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
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
	cmd.Flags().StringVar(&contains, "contains", "", "text that the page has to contain")
	cmd.Flags().BoolVar(&tell, "time", false, "print how many seconds it took")
	addTimeout(cmd.Flags(), &timeout)
	return cmd
}

func newWaitNotification() *cobra.Command {
	var match wait.Match
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "notification INBOX-URL",
		Short: "Wait until the inbox has a notification, and print it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
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
	flags.StringVar(&match.Kind, "kind", "", "kind of the object that it is about")
	flags.StringVar(&match.Name, "object", "", "name of the object that it is about")
	flags.StringVar(&match.Reason, "reason", "", "reason, such as ReconciliationSucceeded")
	flags.StringVar(&match.Severity, "severity", "", "severity: info or error")
	flags.StringVar(&match.Revision, "revision", "", "revision, such as main@sha1:...")
	flags.StringVar(&match.Contains, "contains", "", "part of the message")
	addTimeout(flags, &timeout)
	return cmd
}

func newWaitDelivery() *cobra.Command {
	var match wait.Webhook
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "delivery REPOSITORY-URL",
		Short: "Wait until the Git host has sent a webhook, and print what became of it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
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
	flags.StringVar(&match.Commit, "commit", "", "the commit that was pushed, in full")
	flags.IntVar(&match.Status, "status", 0, "what the receiver answered, such as 200")
	addTimeout(flags, &timeout)
	return cmd
}

func addTimeout(flags *pflag.FlagSet, timeout *time.Duration) {
	flags.DurationVar(timeout, "timeout", 30*time.Second, "how long to wait")
}
