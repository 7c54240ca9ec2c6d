package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/fluxcd/pkg/ssa/utils"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/shard"
	"github.com/fluxdemo/fluxdemo/manifests"
)

func newShard(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shard",
		Short: "Divide Flux's objects among several controllers",
		Long: `A shard is a second set of source-, kustomize- and helm-controller. It reconciles
the objects that carry its key in the label sharding.fluxcd.io/key; the main
controllers reconcile the objects without that label.`,
		Example: `  fluxdemo shard add shard1
  fluxdemo shard move kustomization/apps shard1
  fluxdemo shard list`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(newShardAdd(o), newShardRemove(o), newShardList(o), newShardMove(o))
	return cmd
}

func newShardAdd(o *cli.Options) *cobra.Command {
	var export bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Start the controllers of a shard",
		Long:  `Starts the controllers of a shard and waits until they are ready.`,
		Example: `  fluxdemo shard add shard1
  fluxdemo shard add shard1 --export | kubectl apply -f -`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := shard.CheckName(args[0]); err != nil {
				return cli.Usage(err)
			}
			install, err := o.InstallManifests()
			if err != nil {
				return err
			}
			if export {
				objects, err := manifests.Shard(install, args[0], manifests.ForDemo)
				if err != nil {
					return err
				}
				text, err := utils.ObjectsToYAML(objects)
				if err != nil {
					return fmt.Errorf("writing the shard's manifests: %w", err)
				}
				_, err = io.WriteString(cmd.OutOrStdout(), text)
				return err
			}
			return withShards(o, cmd, func(ctx context.Context, cluster clusters.Cluster, _ client.WithWatch, report clusters.Steps) error {
				return shard.Add(ctx, cluster, install, args[0], manifests.ForDemo, report)
			})
		},
	}
	cmd.Flags().BoolVar(&export, "export", false, "print the manifests without applying them")
	return cmd
}

func newShardRemove(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a shard that has no objects",
		Example: `  fluxdemo shard move kustomization/apps main
  fluxdemo shard remove shard1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := shard.CheckName(args[0]); err != nil {
				return cli.Usage(err)
			}
			return withShards(o, cmd, func(ctx context.Context, cluster clusters.Cluster, _ client.WithWatch, report clusters.Steps) error {
				return shard.Remove(ctx, cluster, args[0], report)
			})
		},
	}
}

func newShardList(o *cli.Options) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the shards and their number of objects",
		Example: `  fluxdemo shard list
  fluxdemo shard list -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckOutput(output, "json", "wide"); err != nil {
				return err
			}
			return withShards(o, cmd, func(ctx context.Context, _ clusters.Cluster, c client.WithWatch, _ clusters.Steps) error {
				all, err := shard.List(ctx, c)
				if err != nil {
					return err
				}
				if output == "json" {
					return cli.WriteJSON(cmd.OutOrStdout(), map[string]any{"shards": all})
				}
				return printShards(cmd.OutOrStdout(), all, output == "wide")
			})
		},
	}
	cli.AddOutput(cmd, &output, "json", "wide")
	return cmd
}

func newShardMove(o *cli.Options) *cobra.Command {
	var namespace string
	cmd := &cobra.Command{
		Use:   "move KIND/NAME SHARD",
		Short: "Move an object to a shard, or back to main",
		Long: `Labels an object with the key of a shard, or removes the label for main, and
waits until the controllers there have reconciled it.

A source leaves its old artifact in the old source-controller, which serves it
until its pod restarts. What uses the source gets the new address with the next
artifact.`,
		Example: `  fluxdemo shard move kustomization/apps shard1
  fluxdemo shard move gitrepository/flux-system main`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, name, ok := strings.Cut(args[0], "/")
			if !ok || kind == "" || name == "" {
				return cli.Usage(fmt.Errorf("%q is not an object; use KIND/NAME, for example kustomization/apps", args[0]))
			}
			return withShards(o, cmd, func(ctx context.Context, cluster clusters.Cluster, _ client.WithWatch, report clusters.Steps) error {
				if err := demo.MayChangeFlux(cluster); err != nil {
					return err
				}
				return steps.One(ctx, report, fmt.Sprintf("%s to %s", args[0], args[1]), func(ctx context.Context) error {
					return shard.Move(ctx, cluster, kind, namespace, name, args[1])
				})
			})
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", demo.FluxNamespace, "namespace of the object")
	return cmd
}

// withShards connects to the running cluster and calls work with it.
func withShards(o *cli.Options, cmd *cobra.Command, work func(context.Context, clusters.Cluster, client.WithWatch, clusters.Steps) error) error {
	cluster, err := o.Running(cmd.Context())
	if err != nil {
		return err
	}
	c, err := demo.Connect(cluster.Kubeconfig())
	if err != nil {
		return err
	}
	report := progress.New(cmd.ErrOrStderr())
	defer report.Close()
	return work(cmd.Context(), cluster, c, report)
}

func printShards(out io.Writer, all []shard.Shard, wide bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SHARD\tREADY\tCONTROLLERS\tOBJECTS")
	for _, s := range all {
		ready := 0
		for _, is := range s.Controllers {
			if is {
				ready++
			}
		}
		objects := fmt.Sprint(len(s.Objects))
		if wide && len(s.Objects) > 0 {
			objects = strings.Join(s.Objects, ",")
		}
		fmt.Fprintf(table, "%s\t%t\t%d/%d\t%s\n", s.Name, s.Ready(), ready, len(s.Controllers), objects)
	}
	return table.Flush()
}
