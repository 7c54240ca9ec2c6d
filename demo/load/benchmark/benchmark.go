// Package benchmark measures Flux under load, with shards and without: how
// soon thousands of Kustomizations are ready, what that costs, and how long a
// neighbour waits without and with heavy tenants. It saves each finished run
// at once, so that the next start resumes there.
package benchmark

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
	"github.com/fluxdemo/fluxdemo/demo/load"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/demo/shard"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Options says what is measured. All is needed.
type Options struct {
	Sizes        []int         // Kustomizations
	Shards       []int         // beside the main controllers
	HeavyPercent int           // of the Kustomizations; 0 leaves heavy tenants out
	Probes       int           // neighbours whose wait is measured each time
	Deadline     time.Duration // of one phase
	File         string        // the report, as JSON
	OwnSources   bool          // a GitRepository for each tenant, and not one for all
	Impersonate  bool          // Flux applies as the tenants' ServiceAccounts
	Again        bool          // measures what File has already; it is kept until the first trial is done
	Install      []byte        // what `flux install --export` prints
}

// Steps receives the steps of a benchmark and their progress.
type Steps interface {
	clusters.Steps
	// Progress says how far the step with that name is.
	Progress(name, text string)
}

// ErrPartial says that some runs did not end; the report says why.
var ErrPartial = errors.New("some measurements failed")

// bench is a benchmark under way.
type bench struct {
	Options
	cluster clusters.Cluster
	client  client.WithWatch
	owner   *ownership.Owner
	kube    kubernetes.Interface
	urls    demo.URLs
	steps   Steps
}

// Run measures each size with each number of shards, but for what the report
// in Options.File has already, and returns the report. The cluster has to be
// a demo's. A phase that misses its deadline ends its run, not the benchmark.
// When ctx ends, the report has what there is until then.
func Run(ctx context.Context, cluster clusters.Cluster, o Options, steps Steps) (*Report, error) {
	if err := demo.MayChangeFlux(cluster); err != nil {
		return nil, err
	}
	report, err := &Report{}, error(nil)
	if !o.Again {
		if report, err = readReport(o.File); err != nil {
			return nil, err
		}
	}
	b := &bench{Options: o, cluster: cluster, steps: steps}
	if err := b.connect(ctx); err != nil {
		return report, err
	}
	if err := report.begin(b.describe(ctx)); err != nil {
		return nil, err
	}
	if err = b.prepare(ctx); err == nil {
		err = b.all(ctx, report)
	}
	// Whatever happened, the cluster gets its own back.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Deadline)
	defer cancel()
	return report, errors.Join(err, b.restore(after))
}

// cleanTime is how long Clean may take: ten thousand Kustomizations took a
// few minutes.
const cleanTime = 15 * time.Minute

// Clean removes what a killed benchmark has left on the cluster:
// tenants, shards and the branch. Flux gets the settings of a demo, unless it
// was there before the demo.
func Clean(ctx context.Context, cluster clusters.Cluster, install []byte, steps Steps) error {
	b := &bench{Options: Options{Install: install, Deadline: cleanTime}, cluster: cluster, steps: steps}
	if err := b.connect(ctx); err != nil {
		return err
	}
	return b.restore(ctx)
}

func (b *bench) connect(ctx context.Context) (err error) {
	if b.client, err = demo.Connect(b.cluster.Kubeconfig()); err != nil {
		return err
	}
	if b.owner, err = ownership.New(b.client, b.cluster); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", b.cluster.Kubeconfig())
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	if b.kube, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if b.urls, err = demo.FindURLs(ctx, b.client, b.cluster); err != nil {
		return err
	}
	if b.urls.Git == "" {
		return errors.New("the Git host is missing; `fluxdemo up` repairs it")
	}
	return nil
}

// prepare makes room for the first run: what an earlier one left behind
// goes, Flux is set up for many objects, and the tenants' apps are in Git.
func (b *bench) prepare(ctx context.Context) error {
	if b.urls.Upstream != "" {
		return errors.New("this cluster follows a repository on a forge, and the load does not belong there; use a cluster without --git-url")
	}
	if err := b.remove(ctx); err != nil {
		return err
	}
	if err := shard.Resize(ctx, b.cluster, b.Install, manifests.ForScale, b.steps); err != nil {
		return err
	}
	return b.push(ctx, "1")
}

// push makes another edition of the tenants' apps the load's branch.
func (b *bench) push(ctx context.Context, edition string) error {
	files, err := load.Content(edition)
	if err != nil {
		return err
	}
	password, err := demo.GitPassword(ctx, b.client)
	if err != nil {
		return err
	}
	_, err = fleet.PushBranch(ctx, b.urls.Git, demo.GitUser, password, load.Branch, files, "Edition "+edition)
	return err
}

// restore leaves the cluster as it was found: without tenants, shards and the
// branch, and Flux with the settings of a demo.
func (b *bench) restore(ctx context.Context) error {
	branch := make(chan error, 1)
	go func() { branch <- b.removeBranch(ctx) }() // nothing below needs it
	errs := []error{b.remove(ctx)}
	own := demo.MayChangeFlux(b.cluster) == nil
	if own {
		all, err := shard.List(ctx, b.client)
		errs = append(errs, err)
		for _, s := range all {
			if strings.HasPrefix(s.Name, shardPrefix) {
				errs = append(errs, shard.Remove(ctx, b.cluster, s.Name, b.steps))
			}
		}
	}
	if own {
		errs = append(errs, shard.Resize(ctx, b.cluster, b.Install, manifests.ForDemo, b.steps))
	}
	return errors.Join(append(errs, <-branch)...)
}

// removeBranch removes the load's branch, if there is one. On a forge there never was one.
func (b *bench) removeBranch(ctx context.Context) error {
	if b.urls.Upstream != "" {
		return nil
	}
	password, err := demo.GitPassword(ctx, b.client)
	if err != nil {
		return err
	}
	return fleet.DeleteBranch(ctx, b.urls.Git, demo.GitUser, password, load.Branch)
}

func (b *bench) all(ctx context.Context, report *Report) error {
	missed := false
	for _, size := range b.Sizes {
		for _, shards := range b.Shards {
			if done := report.find(b.plan(size, shards)); done != nil && done.Done {
				continue
			}
			run, err := b.run(ctx, size, shards)
			report.put(run)
			if saveErr := report.save(b.File); saveErr != nil {
				return saveErr
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				missed = true
			}
			if err := b.remove(ctx); err != nil {
				return err
			}
		}
	}
	if missed {
		return ErrPartial
	}
	return nil
}

// unshard takes a shard away, if it is there.
func (b *bench) unshard(ctx context.Context, name string) error {
	err := shard.Remove(ctx, b.cluster, name, b.steps)
	if errors.Is(err, shard.ErrNotFound) {
		return nil
	}
	return err
}

// shardPrefix begins the names of a benchmark's shards.
const shardPrefix = "bench"

func shardName(n int) string { return fmt.Sprintf("%s%d", shardPrefix, n+1) }

func maxOf(numbers []int) int {
	most := 0
	for _, n := range numbers {
		most = max(most, n)
	}
	return most
}

// step does work as a step with a deadline. The work may tell how far it is.
func (b *bench) step(ctx context.Context, name string, work func(ctx context.Context, progress func(string)) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Deadline, fmt.Errorf("not done after %s", b.Deadline))
	defer cancel()
	end := b.steps.Start(name)
	err := work(ctx, func(text string) { b.steps.Progress(name, text) })
	end(err)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// remove takes all tenants away. It is a step only if there are any.
func (b *bench) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Deadline, fmt.Errorf("not done after %s", b.Deadline))
	defer cancel()
	const name = "Tenants away"
	var end func(error)
	err := load.Remove(ctx, b.client, b.owner, func(left int, what string) {
		if end == nil {
			end = b.steps.Start(name)
		}
		b.steps.Progress(name, fmt.Sprintf("%d %s left", left, what))
	})
	if end != nil {
		end(err)
	}
	return err
}
