// Package pace measures how long one Kustomization waits for its controller,
// from a new revision or a request until its reconciliation, and how long the
// controllers' queues are. It shows both as charts, and as a line of blocks.
package pace

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/load"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// Wait is a time that the Kustomization has waited.
type Wait struct {
	Asked    time.Time `json:"asked"`
	Answered time.Time `json:"answered,omitzero"` // zero: it still does
}

// Took is how long it took, or takes until now.
func (w Wait) Took(now time.Time) time.Duration {
	if w.Answered.IsZero() {
		return now.Sub(w.Asked)
	}
	return w.Answered.Sub(w.Asked)
}

// remembered is how many waits and queue lengths are kept: what a chart shows.
const remembered = 600

// Pace is what is known of one Kustomization. Follow fills it.
type Pace struct {
	name types.NamespacedName

	mu        sync.Mutex
	requested string // the last request, and the last that was answered
	handled   string
	attempted string // the revision that it has had its turn with
	suspended bool
	source    string // the revision that there is
	waits     []Wait
	latency   *load.Latency
	queues    []queues
	changed   chan struct{} // closed at the next wait that begins or ends
	watching  chan struct{} // closed when it is watched for the first time
	problem   error         // why it is not watched
}

// queues is how many objects wait for a worker of each kustomize-controller.
type queues struct {
	at    time.Time
	depth map[string]int
}

// New returns one that knows nothing yet.
func New(name types.NamespacedName) *Pace {
	return &Pace{name: name, latency: load.NewLatency(), changed: make(chan struct{}), watching: make(chan struct{})}
}

// Check returns an error that names those that there are unless there is a Kustomization of that name.
func Check(ctx context.Context, c client.Client, name client.ObjectKey) error {
	list := &kustomizev1.KustomizationList{}
	if err := c.List(ctx, list, client.InNamespace(name.Namespace)); err != nil {
		return fmt.Errorf("listing Kustomizations: %w", err)
	}
	var there []string
	for _, k := range list.Items {
		if k.Name == name.Name {
			return nil
		}
		there = append(there, k.Name)
	}
	return fmt.Errorf("there is no Kustomization %q in the namespace %s; valid values: %s", name.Name, name.Namespace, cmp.Or(strings.Join(there, ", "), "none"))
}

// queueEvery is how often the controllers are asked for the lengths of their
// queues: metrics cannot be watched.
const queueEvery = time.Second

// retryAfter is how long Follow waits before it watches again.
const retryAfter = time.Second

// Follow follows the Kustomization until ctx ends. It returns an error only
// if it cannot begin: an API server that is away for a while is waited for.
func (p *Pace) Follow(ctx context.Context, config *rest.Config, c client.WithWatch) error {
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	var group sync.WaitGroup
	group.Go(func() { p.askQueues(ctx, kube) })
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		err := p.watch(ctx, c)
		p.mu.Lock()
		p.problem = err
		p.mu.Unlock()
	}, retryAfter)
	group.Wait()
	return nil
}

// watch watches the Kustomization and its source until one of the watches ends.
func (p *Pace) watch(ctx context.Context, c client.WithWatch) error {
	k := &kustomizev1.Kustomization{}
	if err := c.Get(ctx, p.name, k); err != nil {
		return fmt.Errorf("reading the Kustomization: %w", err)
	}
	p.see(k, time.Now())
	from := types.NamespacedName{Namespace: k.Namespace, Name: k.Spec.SourceRef.Name}
	if k.Spec.SourceRef.Namespace != "" {
		from.Namespace = k.Spec.SourceRef.Namespace
	}
	only := func(name types.NamespacedName) []client.ListOption {
		return []client.ListOption{client.InNamespace(name.Namespace), client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", name.Name)}}
	}
	mine, err := c.Watch(ctx, &kustomizev1.KustomizationList{}, only(p.name)...)
	if err != nil {
		return fmt.Errorf("watching the Kustomization: %w", err)
	}
	defer mine.Stop()
	sources := &unstructured.UnstructuredList{}
	sources.SetGroupVersionKind(sourcev1.GroupVersion.WithKind(k.Spec.SourceRef.Kind))
	theirs, err := c.Watch(ctx, sources, only(from)...)
	if err != nil {
		return fmt.Errorf("watching its %s: %w", k.Spec.SourceRef.Kind, err)
	}
	defer theirs.Stop()
	select {
	case <-p.watching:
	default:
		close(p.watching)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-mine.ResultChan():
			now, ok := event.Object.(*kustomizev1.Kustomization)
			if !open || event.Type == watch.Deleted || !ok {
				return nil
			}
			p.see(now, time.Now())
			if now.Spec.SourceRef != k.Spec.SourceRef {
				return nil // and begin anew with that one
			}
		case event, open := <-theirs.ResultChan():
			now, ok := event.Object.(*unstructured.Unstructured)
			if !open || event.Type == watch.Deleted || !ok {
				return nil
			}
			p.seeSource(object.Stored(now), time.Now())
		}
	}
}

func (p *Pace) see(k *kustomizev1.Kustomization, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requested, p.handled = object.Requested(k), k.Status.LastHandledReconcileAt
	p.attempted, p.suspended = k.Status.LastAttemptedRevision, k.Spec.Suspend
	p.update(now)
}

func (p *Pace) seeSource(revision string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.source = revision
	p.update(now)
}

// update begins a wait, or ends it. It needs the lock.
func (p *Pace) update(now time.Time) {
	waits := !p.suspended && (p.requested != p.handled && p.requested != "" || p.source != p.attempted && p.source != "")
	last := len(p.waits) - 1
	was := last >= 0 && p.waits[last].Answered.IsZero()
	switch {
	case waits && !was:
		p.waits = append(p.waits, Wait{Asked: now})
		if len(p.waits) > remembered {
			p.waits = p.waits[1:]
		}
	case !waits && was:
		p.waits[last].Answered = now
		p.latency.Add(p.waits[last].Took(now))
	default:
		return
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Pace) askQueues(ctx context.Context, kube kubernetes.Interface) {
	ticker := time.NewTicker(queueEvery)
	defer ticker.Stop()
	for {
		if all, err := load.Controllers(ctx, kube); err == nil { // else one is being replaced
			q := queues{at: time.Now(), depth: map[string]int{}}
			for _, each := range all {
				q.depth[each.App] = each.Depth
			}
			p.mu.Lock()
			if p.queues = append(p.queues, q); len(p.queues) > remembered {
				p.queues = p.queues[1:]
			}
			p.mu.Unlock()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// AwaitWatching returns once the Kustomization is watched, or says why it is not
// when ctx ends.
func (p *Pace) AwaitWatching(ctx context.Context) error {
	select {
	case <-p.watching:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("following %s: %w", p.name, cmp.Or(p.problem, context.Cause(ctx)))
}

// Last returns the last wait, if there was one, and a channel that is closed
// when one begins or ends.
func (p *Pace) Last() (last Wait, ok bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waits) > 0 {
		last, ok = p.waits[len(p.waits)-1], true
	}
	return last, ok, p.changed
}

// Percentiles of the waits that have ended.
func (p *Pace) Percentiles() load.Percentiles { return p.latency.Percentiles() }
