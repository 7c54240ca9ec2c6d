package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/diagram/rollout"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
)

func newDiagram(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diagram",
		Short: "Run a plain flowchart as Kustomizations",
		Example: `  fluxdemo diagram run plan.mmd
  fluxdemo diagram clean`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(newDiagramRun(o), newDiagramClean(o))
	return cmd
}

func newDiagramRun(o *cli.Options) *cobra.Command {
	var output string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "run FILE[#N]",
		Short: "Create a Kustomization for each node of a flowchart",
		Long: `Creates a Kustomization for each node of a Mermaid flowchart. Each arrow becomes
a dependsOn: the node that it points to waits for the node where it starts. The
Kustomizations are pushed to the demo's Git repository, and Flux applies them in
that order. After a change to the diagram, run the command again: Flux removes
what the diagram no longer contains.`,
		Example: `  fluxdemo diagram run plan.mmd      # a file with one diagram
  fluxdemo diagram run talk.md#2     # the second diagram of a deck
  fluxdemo diagram clean             # remove them again`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := cli.CheckOutput(output, "json"); err != nil {
				return err
			}
			plan, err := rollout.Load(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			return withRunner(o, cmd, timeout, func(ctx context.Context, r *rollout.Runner) error {
				done, err := r.Run(ctx, plan)
				if err != nil {
					return err
				}
				return printDone(cmd.OutOrStdout(), done, output == "json")
			})
		},
	}
	cli.AddOutput(cmd, &output, "json")
	addDiagramTimeout(cmd, &timeout)
	return cmd
}

func newDiagramClean(o *cli.Options) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "clean [NAME...]",
		Short: "Remove what diagram run created",
		Long: `Removes diagrams from the demo's Git repository, all of them or the named ones,
and waits until Flux has removed their objects. A diagram has the name of its
file; if the file has several, a number follows: deck-2.`,
		Example: `  fluxdemo diagram clean
  fluxdemo diagram clean plan talk-2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withRunner(o, cmd, timeout, func(ctx context.Context, r *rollout.Runner) error {
				gone, err := r.Clean(ctx, args)
				if err != nil {
					return err
				}
				if len(gone) == 0 {
					fmt.Fprintln(cmd.ErrOrStderr(), "No diagrams to remove.")
				}
				for _, name := range gone {
					fmt.Fprintln(cmd.OutOrStdout(), name)
				}
				return nil
			})
		},
	}
	addDiagramTimeout(cmd, &timeout)
	return cmd
}

func addDiagramTimeout(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", 5*time.Minute, "how long to wait for Flux")
}

// withRunner connects to the running cluster and calls work with a Runner for it.
func withRunner(o *cli.Options, cmd *cobra.Command, timeout time.Duration, work func(context.Context, *rollout.Runner) error) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	cluster, c, urls, err := o.WithGitHost(ctx)
	if err != nil {
		return err
	}
	password, err := demo.GitPassword(ctx, c)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", cluster.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w; `fluxdemo up` writes it", err)
	}
	watcher, err := live.Start(ctx, live.Options{Config: config, GitURL: urls.Git, InboxURL: urls.Inbox})
	if err != nil {
		return err
	}
	if err := watcher.Synced(ctx); err != nil {
		return err
	}
	steps := progress.New(cmd.ErrOrStderr())
	defer steps.Close()
	return work(ctx, &rollout.Runner{
		Fleet: &fleet.Repository{
			URL: urls.Git, User: demo.GitUser, Password: password, Copy: filepath.Join(cluster.Dir(), cli.FleetFolder),
		},
		Client: c, Live: watcher, Steps: steps,
	})
}

// printDone prints the nodes in the order in which they were ready.
func printDone(out io.Writer, done []rollout.Done, asJSON bool) error {
	if asJSON {
		return cli.WriteJSON(out, map[string]any{"nodes": done})
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NODE\tKUSTOMIZATION\tAFTER\tREADY")
	for _, d := range done {
		after := strings.Join(d.After, ",")
		if after == "" {
			after = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.1f s\n", d.ID, d.Kustomization, after, d.Seconds)
	}
	return w.Flush()
}
