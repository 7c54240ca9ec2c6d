package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/go-git/go-billy/v6"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
)

// Runner runs diagrams on a cluster.
type Runner struct {
	Fleet *fleet.Repository
	// Client reads which Kustomizations there are.
	Client client.Reader
	// Live follows the cluster, and has seen it (live.Watcher.Synced).
	Live *live.Watcher
	// Steps receives a step for the push and for each node.
	Steps clusters.Steps
}

// Done is a node that Flux has applied.
type Done struct {
	Node
	// Revision is what it has, ReadyAfter how long after the push it was ready.
	Revision   string        `json:"revision"`
	ReadyAfter time.Duration `json:"-"`
	Seconds    float64       `json:"readyAfterSeconds"`
}

// stepPush is the step in which the fleet gets another commit.
const stepPush = "Push"

// Run pushes the plan, and waits until Flux has applied all of it. It returns the nodes in the order in which they were
// ready. A step of a node begins when those that it waits for are ready. ctx carries a deadline; the error then says
// which node is not ready, and why.
func (r *Runner) Run(ctx context.Context, p *Plan) ([]Done, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := r.clash(ctx, p); err != nil {
		return nil, fmt.Errorf("running the diagram %s: %w", p.Name, err)
	}
	states, events := r.Live.Subscribe(ctx)
	began := time.Now()
	var commit string
	err := steps.One(ctx, r.Steps, stepPush, func(ctx context.Context) (err error) {
		if err := r.applyAs(ctx, p); err != nil {
			return err
		}
		commit, err = r.Fleet.Change(ctx, "Run the diagram "+p.Name, p.write)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("running the diagram %s: %w", p.Name, err)
	}
	run := &progress{plan: p, commit: commit, began: began, steps: r.Steps, last: map[binding.Target]live.State{}, ends: map[string]func(error){}}
	for _, s := range states {
		run.last[s.Target] = s
	}
	run.look(began)
	for len(run.done) < len(p.Nodes) {
		e, ok := <-events
		if !ok {
			err := fmt.Errorf("running the diagram %s: %s (%w)", p.Name, run.waitsFor(), context.Cause(ctx))
			for _, end := range run.ends {
				end(err)
			}
			return run.done, err
		}
		if e.State != nil {
			run.last[e.State.Target] = *e.State
			run.look(time.Now())
		}
	}
	return run.done, nil
}

// clash returns an error if something in the cluster has a name that the plan needs, and is not of an earlier run: Flux
// would take it over.
func (r *Runner) clash(ctx context.Context, p *Plan) error {
	for _, in := range []struct {
		kind      schema.GroupVersionKind
		namespace string
	}{
		{kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind), demo.FluxNamespace},
		{corev1.SchemeGroupVersion.WithKind("ConfigMap"), namespace},
	} {
		there := &metav1.PartialObjectMetadataList{}
		there.SetGroupVersionKind(in.kind)
		if err := r.Client.List(ctx, there, client.InNamespace(in.namespace)); err != nil {
			return fmt.Errorf("listing each %s in %s: %w", in.kind.Kind, in.namespace, err)
		}
		for _, o := range there.Items {
			needed := slices.ContainsFunc(p.Nodes, func(n Node) bool { return n.Kustomization == o.Name })
			if needed && o.Labels[Label] != p.Name {
				return fmt.Errorf("the %s %s in the namespace %s exists and is not of this diagram; rename the diagram's file", in.kind.Kind, o.Name, in.namespace)
			}
		}
	}
	return nil
}

// applyAs has the plan's Kustomizations apply as the one does that Flux follows the fleet with: a Flux that is locked
// down gives no rights to those that name no service account.
func (r *Runner) applyAs(ctx context.Context, p *Plan) error {
	root := &kustomizev1.Kustomization{}
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: demo.FluxNamespace, Name: demo.SyncName}, root); err != nil {
		return fmt.Errorf("reading how Flux follows the fleet: %w; `fluxdemo up` repairs it", err)
	}
	p.account = root.Spec.ServiceAccountName
	return nil
}

// progress is a run under way.
type progress struct {
	plan   *Plan
	commit string
	began  time.Time
	steps  clusters.Steps
	last   map[binding.Target]live.State
	ends   map[string]func(error) // of the steps that have begun and not ended, by the node's ID
	done   []Done
}

func (r *progress) isDone(id string) bool {
	return slices.ContainsFunc(r.done, func(d Done) bool { return d.ID == id })
}

// look begins and ends steps, in the order of the plan.
func (r *progress) look(now time.Time) {
	for _, n := range r.plan.Nodes {
		if r.isDone(n.ID) || slices.ContainsFunc(n.After, func(id string) bool { return !r.isDone(id) }) {
			continue
		}
		if r.ends[n.ID] == nil {
			r.ends[n.ID] = r.steps.Start(n.Label)
		}
		s := r.last[n.Target()]
		if s.Status == live.Ready && strings.HasSuffix(s.Revision, ":"+r.commit) {
			r.ends[n.ID](nil)
			delete(r.ends, n.ID)
			after := now.Sub(r.began)
			r.done = append(r.done, Done{n, s.Revision, after, after.Seconds()})
		}
	}
}

// waitsFor says what the first node that is not ready says.
func (r *progress) waitsFor() string {
	for _, n := range r.plan.Nodes {
		if r.isDone(n.ID) {
			continue
		}
		s := r.last[n.Target()]
		if s.Status == "" {
			s.Status, s.Message = live.Missing, "Flux has not created it yet; is the Kustomization flux-system ready?"
		}
		return fmt.Sprintf("node %s, Kustomization %s, is %s: %s", n.ID, n.Kustomization, s.Status, s.Message)
	}
	return ""
}

// Clean takes the named plans out of the fleet, or all of them if none is named, and waits until Flux has removed what
// it made of them. It returns their names. To name one that is not there is an error.
func (r *Runner) Clean(ctx context.Context, wanted []string) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, events := r.Live.Subscribe(ctx)
	there := &unstructured.UnstructuredList{}
	there.SetGroupVersionKind(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind))
	if err := r.Client.List(ctx, there, client.InNamespace(demo.FluxNamespace), client.HasLabels{Label}); err != nil {
		return nil, fmt.Errorf("removing diagrams: listing the Kustomizations: %w", err)
	}
	var gone []string
	err := steps.One(ctx, r.Steps, stepPush, func(ctx context.Context) (err error) {
		gone, err = r.takeOut(ctx, wanted)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("removing diagrams: %w", err)
	}
	left := map[binding.Target]bool{}
	for _, k := range there.Items {
		if slices.Contains(gone, k.GetLabels()[Label]) {
			left[binding.ObjectTarget(k.GetKind(), k.GetNamespace(), k.GetName())] = true
		}
	}
	return gone, steps.One(ctx, r.Steps, "Flux removes their objects", func(ctx context.Context) error {
		for len(left) > 0 {
			e, ok := <-events
			if !ok {
				return fmt.Errorf("removing diagrams: %d Kustomizations still exist (%w)", len(left), context.Cause(ctx))
			}
			if e.State != nil && e.State.Status == live.Missing {
				delete(left, e.State.Target)
			}
		}
		return nil
	})
}

// takeOut removes the wanted plans from the fleet, or all of them if none is named, and returns their names.
func (r *Runner) takeOut(ctx context.Context, wanted []string) (gone []string, err error) {
	_, err = r.Fleet.Change(ctx, "Remove the diagrams", func(files billy.Filesystem) error {
		all, err := names(files)
		if err != nil {
			return err
		}
		gone = wanted
		if len(wanted) == 0 {
			gone = all
		}
		for _, name := range gone {
			if !slices.Contains(all, name) {
				return fmt.Errorf("there is no diagram %q; valid values: %s", name, strings.Join(all, ", "))
			}
			if err := erase(files, name); err != nil {
				return err
			}
		}
		return nil
	})
	return gone, err
}
