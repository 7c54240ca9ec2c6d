package benchmark

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/load"
	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/shard"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Trial is what was measured of one size with one number of shards. Times are
// in seconds.
type Trial struct {
	Plan    load.Plan `json:"plan"`
	Started time.Time `json:"started"`
	Done    bool      `json:"done"`
	Problem string    `json:"problem,omitempty"` // why it is not done

	Applied float64 `json:"applied"` // the API server has taken all Kustomizations
	Ready   float64 `json:"ready"`   // all quiet ones are ready, from the first one applied
	Removed float64 `json:"removed"` // nothing is left
	// Calm is how long neighbours, quiet tenants of the main controllers,
	// wait while all is well; Crowded, once the heavy tenants are there.
	Calm    load.Percentiles `json:"calm"`
	Crowded load.Percentiles `json:"crowded"`
	// Heavy is how long the heavy tenants wait themselves.
	Heavy load.Percentiles `json:"heavy"`

	Samples   []Sample  `json:"samples"`
	Processes []Process `json:"processes"` // when all were ready
	// Controllers is what the kustomize-controllers said of their work then.
	Controllers []load.Controller `json:"controllers"`
	// Profiles say where the busiest of them spend their time. There are none
	// where all was ready sooner than one takes.
	Profiles []Profile `json:"profiles,omitempty"`
	Restarts int       `json:"restarts"` // of components, while it ran
}

// Shards is how many there were beside the main controllers.
func (r *Trial) Shards() int { return len(r.Plan.Shards) }

// size is how many Kustomizations a run has.
func (r *Trial) size() int { return r.Plan.Quiet + r.Plan.Heavy }

// plan is for a size, of which a part is heavy.
func (b *bench) plan(size, shards int) load.Plan {
	heavy := size * b.HeavyPercent / 100
	p := load.Plan{Quiet: size - heavy, Heavy: heavy, OwnSources: b.OwnSources, Impersonate: b.Impersonate}
	for n := range shards {
		p.Shards = append(p.Shards, shardName(n))
	}
	return p
}

// run measures one size with one number of shards. What it returns with an
// error is what there is until then.
func (b *bench) run(ctx context.Context, size, shards int) (r *Trial, err error) {
	r = &Trial{Plan: b.plan(size, shards), Started: time.Now()}
	defer func() {
		if err != nil {
			r.Problem = plaintext.Text(err.Error())
		}
		r.Done = err == nil
	}()
	if err := r.Plan.Check(); err != nil {
		return r, err
	}
	if err := b.shard(ctx, shards); err != nil {
		return r, err
	}
	before, err := b.processes(ctx)
	if err != nil {
		return r, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	observer, err := load.Observe(watching, b.client)
	if err != nil {
		return r, err
	}
	if err := b.apply(ctx, fmt.Sprintf("Tenants of %d Kustomizations", size), r.Plan.Prepare(load.Quiet)); err != nil {
		return r, err
	}

	samples := sample(watching, observer, b)
	defer func() { stop(); r.Samples = samples() }()
	start := time.Now()
	if err := b.ready(ctx, r, observer, start); err != nil {
		return r, err
	}
	after, err := b.processes(ctx)
	if err != nil {
		return r, err
	}
	r.Processes = since(before, after)
	if r.Controllers, err = load.Controllers(ctx, b.kube); err != nil {
		return r, err
	}
	if err := b.probes(ctx, r, observer); err != nil {
		return r, err
	}
	end, err := b.processes(ctx)
	if err != nil {
		return r, err
	}
	r.Restarts = restarts(before, end)
	stop()
	start = time.Now()
	if err := b.remove(ctx); err != nil {
		return r, err
	}
	r.Removed = time.Since(start).Seconds()
	return r, nil
}

// shard starts the trial's shards and removes those of an earlier run.
func (b *bench) shard(ctx context.Context, shards int) error {
	group, groupCtx := errgroup.WithContext(ctx)
	for n := range maxOf(b.Shards) {
		group.Go(func() error {
			if n >= shards {
				return b.unshard(groupCtx, shardName(n))
			}
			return shard.Add(groupCtx, b.cluster, b.Install, shardName(n), manifests.ForScale, b.steps)
		})
	}
	return group.Wait()
}

func (b *bench) apply(ctx context.Context, name string, objects []client.Object) error {
	return b.step(ctx, name, func(ctx context.Context, progress func(string)) error {
		return load.Apply(ctx, b.client, b.owner, objects, func(done int) { progress(fmt.Sprintf("%d of %d applied", done, len(objects))) })
	})
}

// ready applies the quiet Kustomizations and waits until they are ready. On
// the way it takes profiles.
func (b *bench) ready(ctx context.Context, r *Trial, observer *load.Observer, start time.Time) error {
	objects := r.Plan.Kustomizations(load.Quiet)
	return b.step(ctx, fmt.Sprintf("%d Kustomizations ready, %d shards", len(objects), r.Shards()), func(ctx context.Context, progress func(string)) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error {
			err := load.Apply(ctx, b.client, b.owner, objects, func(int) {})
			r.Applied = time.Since(start).Seconds()
			return err
		})
		profiling, stop := context.WithCancel(ctx)
		underWay := make(chan struct{})
		begin := sync.OnceFunc(func() { close(underWay) })
		group.Go(func() error {
			defer stop()
			err := observer.AwaitReady(ctx, load.Quiet, len(objects), func(ready int) {
				progress(fmt.Sprintf("%d of %d", ready, len(objects)))
				if float64(ready) >= profileAt*float64(len(objects)) {
					begin()
				}
			})
			r.Ready = time.Since(start).Seconds()
			return err
		})
		group.Go(func() error {
			select {
			case <-underWay:
			case <-profiling.Done():
				return nil
			}
			profiles, err := b.profiles(profiling, r)
			if profiling.Err() != nil {
				return nil // all were ready before
			}
			r.Profiles = profiles
			return err
		})
		return group.Wait()
	})
}

// probes measures how long neighbours wait, before and after the heavy
// tenants come.
func (b *bench) probes(ctx context.Context, r *Trial, observer *load.Observer) error {
	neighbours := names(slices.DeleteFunc(r.Plan.Kustomizations(load.Quiet), func(o client.Object) bool {
		return o.GetLabels()[shard.Key] != "" // a shard's
	}), b.Probes)
	calm := load.NewLatency()
	if err := b.step(ctx, "Neighbours, calm", func(ctx context.Context, progress func(string)) error {
		return b.inTurn(ctx, observer, neighbours, calm, progress)
	}); err != nil {
		return err
	}
	r.Calm = calm.Percentiles()
	if r.Plan.Heavy == 0 {
		return nil
	}
	heavies := r.Plan.Kustomizations(load.Heavy)
	if err := b.apply(ctx, "Heavy tenants", append(r.Plan.Prepare(load.Heavy), heavies...)); err != nil {
		return err
	}
	if err := b.step(ctx, "Heavy tenants busy", func(ctx context.Context, progress func(string)) error {
		return observer.AwaitBusy(ctx, load.Heavy, min(len(heavies), concurrency), func(busy int) { progress(fmt.Sprintf("%d wait for their pods", busy)) })
	}); err != nil {
		return err
	}
	crowded, heavy := load.NewLatency(), load.NewLatency()
	committing, stop := context.WithCancel(ctx)
	committed := make(chan error, 1)
	go func() { committed <- b.commit(committing, r.Plan) }()
	err := b.step(ctx, "Neighbours, crowded", func(ctx context.Context, progress func(string)) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return observer.Probe(ctx, b.client, names(heavies, b.Probes), heavy) })
		group.Go(func() error { return b.inTurn(ctx, observer, neighbours, crowded, progress) })
		return group.Wait()
	})
	stop()
	r.Crowded, r.Heavy = crowded.Percentiles(), heavy.Percentiles()
	return errors.Join(err, <-committed)
}

// commitEvery is how often a heavy tenant commits.
const commitEvery = 10 * time.Second

// commit is the heavy tenants' work: until ctx ends, another edition of their
// apps, and a request to their sources to fetch it.
func (b *bench) commit(ctx context.Context, plan load.Plan) error {
	ticker := time.NewTicker(commitEvery)
	defer ticker.Stop()
	for edition := 2; ; edition++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := b.push(ctx, strconv.Itoa(edition))
		for _, o := range plan.Prepare(load.Heavy) {
			if source, ok := o.(*sourcev1.GitRepository); ok && err == nil {
				_, _, err = load.Ask(ctx, b.client, source)
			}
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// patience is how long the next neighbour waits for the answer to the last
// one before it asks.
const patience = 5 * time.Second

// inTurn probes one neighbour after the other, so that they do not wait for
// each other, unless they wait for others.
func (b *bench) inTurn(ctx context.Context, observer *load.Observer, names []types.NamespacedName, latency *load.Latency, progress func(string)) error {
	group, ctx := errgroup.WithContext(ctx)
	for n, name := range names {
		progress(fmt.Sprintf("%d of %d, p99 %.2f s", n, len(names), latency.Percentiles().P99))
		answered := make(chan struct{})
		group.Go(func() error {
			defer close(answered)
			return observer.Probe(ctx, b.client, []types.NamespacedName{name}, latency)
		})
		timer := time.NewTimer(patience)
		select {
		case <-answered:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return group.Wait()
}

// concurrency is how many Kustomizations one kustomize-controller works on at
// a time, as manifests/flux/scale sets it.
const concurrency = 20

// names picks up to n Kustomizations, evenly.
func names(of []client.Object, n int) []types.NamespacedName {
	n = min(n, len(of))
	var picked []types.NamespacedName
	for i := range n {
		picked = append(picked, client.ObjectKeyFromObject(of[i*len(of)/n]))
	}
	return picked
}
