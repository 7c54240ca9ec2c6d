package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/progress"
	"github.com/fluxdemo/fluxdemo/demo/load/benchmark"
)

func newBench(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure Flux under load on the demo cluster",
		Example: `  fluxdemo bench sharding --sizes 100,500 --shards 0,1
  fluxdemo bench sharding --sizes 1000 --shards 0 --heavy 0`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(newBenchSharding(o))
	return cmd
}

func newBenchSharding(o *cli.Options) *cobra.Command {
	var output, dir string
	b := benchmark.Options{}
	cmd := &cobra.Command{
		Use:   "sharding",
		Short: "Measure how long neighbours of heavy tenants wait",
		Long: `Measures each combination of --sizes and --shards. It creates tenants with that
many Kustomizations, measures how soon they are ready and what they cost, adds
heavy tenants, measures how long their neighbours wait, and removes everything.
The first shard reconciles the heavy tenants.

The report is a table on stdout, and report.json and report.html in --report.
Each measurement is saved at once: after Ctrl-C, run the same command again to
continue.`,
		Example: `  fluxdemo bench sharding
  fluxdemo bench sharding --sizes 100,500 --shards 0,1
  fluxdemo bench sharding --sizes 10000 --shards 0 --heavy 0 --report big`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := cli.CheckOutput(output, "json"); err != nil {
				return err
			}
			if err := checkBench(b); err != nil {
				return cli.Usage(err)
			}
			b.File = filepath.Join(dir, "report.json")
			cluster, err := o.Running(cmd.Context())
			if err != nil {
				return err
			}
			unlock, err := cli.Lock(cluster)
			if err != nil {
				return err
			}
			defer unlock()
			if b.Install, err = o.InstallManifests(); err != nil {
				return err
			}
			steps := progress.New(cmd.ErrOrStderr())
			report, err := benchmark.Run(cmd.Context(), cluster, b, steps)
			steps.Close()
			if report == nil || len(report.Trials) == 0 {
				return err
			}
			out := cmd.OutOrStdout()
			if output == "json" {
				return errors.Join(err, cli.WriteJSON(out, report))
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Report with charts: %s\n\n", filepath.Join(dir, "report.html"))
			return errors.Join(err, report.Table(out))
		},
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&b.Sizes, "sizes", []int{100, 500, 1000}, "numbers of Kustomizations")
	flags.IntSliceVar(&b.Shards, "shards", []int{0, 1, 2, 4}, "numbers of shards, in addition to the main controllers")
	flags.IntVar(&b.HeavyPercent, "heavy", 5, "percentage of heavy Kustomizations; 0 for none")
	flags.IntVar(&b.Probes, "probes", 20, "number of neighbours whose wait is measured")
	flags.BoolVar(&b.OwnSources, "own-sources", false, "create a GitRepository for each tenant instead of one for all")
	flags.BoolVar(&b.Impersonate, "impersonate", false, "apply as the tenants' service accounts")
	flags.DurationVar(&b.Deadline, "deadline", 30*time.Minute, "deadline of one phase of a measurement")
	flags.StringVar(&dir, "report", "fluxdemo-bench", "folder to write the report to")
	flags.BoolVar(&b.Again, "again", false, "repeat measurements that are in the report")
	cli.AddOutput(cmd, &output, "json")
	return cmd
}

// checkBench returns an error if a flag is out of range.
func checkBench(b benchmark.Options) error {
	const mostObjects, mostShards, least = 20_000, 8, time.Minute
	switch {
	case len(b.Sizes) == 0 || slices.Min(b.Sizes) < 1 || slices.Max(b.Sizes) > mostObjects:
		return fmt.Errorf("--sizes %v: each must be from 1 to %d", b.Sizes, mostObjects)
	case len(b.Shards) == 0 || slices.Min(b.Shards) < 0 || slices.Max(b.Shards) > mostShards:
		return fmt.Errorf("--shards %v: each must be from 0 to %d", b.Shards, mostShards)
	case b.HeavyPercent < 0 || b.HeavyPercent > 50:
		return fmt.Errorf("--heavy %d: must be from 0 to 50 percent", b.HeavyPercent)
	case b.Probes < 1 || b.Probes > 1000:
		return fmt.Errorf("--probes %d: must be from 1 to 1000", b.Probes)
	case b.Deadline < least:
		return fmt.Errorf("--deadline %s: must be at least %s", b.Deadline, least)
	}
	return nil
}
