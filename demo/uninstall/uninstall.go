// Package uninstall removes a demo from an existing cluster: what the demo
// created and what Flux applied from its repository, in an order in which
// nothing is created again. It keeps and lists objects that are not provably
// the demo's, and what holds them.
package uninstall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

const (
	// releaseTime is how long Flux may take to let go of its own objects.
	releaseTime = 45 * time.Second
	// removeTime is for all of it; namespaces take their time.
	removeTime = 3 * time.Minute
	// parallel is how many objects are removed at a time.
	parallel = 8
)

// fluxGroup ends the API groups of Flux.
const fluxGroup = ".toolkit.fluxcd.io"

// Annotations and labels with which an object is kept when its Kustomization
// goes (https://fluxcd.io/flux/components/kustomize/kustomizations/).
const (
	pruneMark     = "kustomize.toolkit.fluxcd.io/prune"
	reconcileMark = "kustomize.toolkit.fluxcd.io/reconcile"
	disabled      = "disabled"
)

// Removal lists the objects to remove from an existing cluster.
type Removal struct {
	client client.WithWatch
	owner  *ownership.Owner

	flux        []*unstructured.Unstructured // Flux's own objects, before all others
	others      []*unstructured.Unstructured // the last made first
	definitions []*unstructured.Unstructured // CRDs
	namespaces  []*unstructured.Unstructured
}

// Look finds the demo's objects on the cluster, and changes nothing.
func Look(ctx context.Context, cluster clusters.Cluster) (*Removal, error) {
	c, err := demo.Connect(cluster.Kubeconfig())
	if err != nil {
		return nil, err
	}
	owner, err := ownership.New(c, cluster)
	if err != nil {
		return nil, err
	}
	// Before anything is removed: an error later would stop the removal half way.
	if err := owner.CanTell(); err != nil {
		return nil, err
	}
	return find(ctx, c, owner)
}

// find finds what the demo has made and what Flux has applied for it, in the
// order in which it is to go.
func find(ctx context.Context, c client.WithWatch, owner *ownership.Owner) (*Removal, error) {
	r := &Removal{client: c, owner: owner}
	recorded, err := r.read(ctx, owner.Recorded())
	if err != nil {
		return nil, err
	}
	applied, err := r.applied(ctx, recorded)
	if err != nil {
		return nil, err
	}
	for _, o := range slices.Concat(recorded, applied) {
		switch {
		case strings.HasSuffix(o.GroupVersionKind().Group, fluxGroup):
			r.flux = append(r.flux, o)
		case o.GetKind() == "Namespace":
			r.namespaces = append(r.namespaces, o)
		case o.GetKind() == "CustomResourceDefinition":
			r.definitions = append(r.definitions, o)
		default:
			r.others = append(r.others, o)
		}
	}
	slices.Reverse(r.others)
	return r, nil
}

// Objects lists what is to be removed.
func (r *Removal) Objects() []ownership.Object {
	var names []ownership.Object
	for _, o := range slices.Concat(r.flux, r.others, r.definitions, r.namespaces) {
		names = append(names, nameOf(o))
	}
	return names
}

// Left lists what is left alone, with why; before Run, as far as that is
// known.
func (r *Removal) Left() []ownership.Left { return r.owner.Left() }

// Damaged lists the lines of the demo's record that cannot be read. What they
// named may still be on the cluster.
func (r *Removal) Damaged() []int { return r.owner.Damaged() }

func nameOf(o *unstructured.Unstructured) ownership.Object {
	return ownership.Object{APIVersion: o.GetAPIVersion(), Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
}

// read reads those of the objects that are there and the demo's.
func (r *Removal) read(ctx context.Context, names []ownership.Object) ([]*unstructured.Unstructured, error) {
	found := make([]*unstructured.Unstructured, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, name := range names {
		group.Go(func() error {
			o := &unstructured.Unstructured{}
			o.SetGroupVersionKind(name.GroupVersionKind())
			err := r.client.Get(ctx, client.ObjectKey{Namespace: name.Namespace, Name: name.Name}, o)
			if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("reading %s: %w", name, err)
			}
			if err := r.owner.Check(ctx, o); err != nil {
				return r.owner.Leave(err)
			}
			found[i] = o
			return nil
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(found, func(o *unstructured.Unstructured) bool { return o == nil }), err
}

// applied finds what the Kustomizations among the objects have applied and
// would remove with themselves, and what Kustomizations among that have.
func (r *Removal) applied(ctx context.Context, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	known := map[string]bool{}
	for _, o := range objects {
		known[nameOf(o).String()+o.GroupVersionKind().Group] = true
	}
	var all []*unstructured.Unstructured
	for todo := slices.Clone(objects); len(todo) > 0; todo = todo[1:] {
		if todo[0].GroupVersionKind().GroupKind() != ownership.KustomizationKind().GroupKind() {
			continue
		}
		var names []ownership.Object
		for _, name := range ownership.Applied(todo[0]) {
			if id := name.String() + name.GroupVersionKind().Group; !known[id] {
				known[id] = true
				names = append(names, name)
			}
		}
		found, err := r.read(ctx, names)
		if err != nil {
			return nil, err
		}
		prunes, _, _ := unstructured.NestedBool(todo[0].Object, "spec", "prune")
		for _, o := range found {
			if why := kept(o, prunes); why != "" {
				if err := r.owner.Leave(&ownership.ForeignError{Object: nameOf(o), Why: why}); err != nil {
					return nil, err
				}
				continue
			}
			all, todo = append(all, o), append(todo, o)
		}
	}
	return all, nil
}

// kept returns why Flux would keep an object when its Kustomization is
// deleted; "" if it would remove it.
func kept(o *unstructured.Unstructured, prunes bool) string {
	if !prunes {
		return "its Kustomization does not prune"
	}
	for _, mark := range []string{pruneMark, reconcileMark} {
		if o.GetAnnotations()[mark] == disabled || o.GetLabels()[mark] == disabled {
			return mark + " is " + disabled + " on it"
		}
	}
	return ""
}

// Run removes what Look has found, and returns when it is gone.
func (r *Removal) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removeTime, fmt.Errorf("not gone after %s", removeTime))
	defer cancel()
	// In the order in which nothing is made again. The caller reports all of it as one step.
	return steps.Run(ctx, nil, steps.Sequence(
		steps.Step{Name: "Recording what to remove", Do: r.record},
		steps.Step{Name: "Suspending the demo's Kustomizations", Do: r.quiet},
		steps.Step{Name: "Removing Flux's objects", Do: r.release},
		steps.Step{Name: "Removing what Flux has applied", Do: func(ctx context.Context) error {
			return each(ctx, r.others, r.remove)
		}},
		steps.Step{Name: "Removing definitions", Do: func(ctx context.Context) error {
			return each(ctx, r.definitions, func(ctx context.Context, crd *unstructured.Unstructured) error {
				return r.holder(ctx, crd, func() error { return r.owner.Unused(ctx, crd) })
			})
		}},
		steps.Step{Name: "Removing namespaces", Do: func(ctx context.Context) error {
			return each(ctx, r.namespaces, func(ctx context.Context, namespace *unstructured.Unstructured) error {
				return r.holder(ctx, namespace, func() error { return r.owner.Vacant(ctx, namespace) })
			})
		}},
	)...)
}

// each calls do for all objects, in this order but several at a time.
func each(ctx context.Context, objects []*unstructured.Unstructured, do func(context.Context, *unstructured.Unstructured) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, o := range objects {
		group.Go(func() error { return do(ctx, o) })
	}
	return group.Wait()
}

// record puts into the demo's record what Flux has applied. Only the inventory
// of a Kustomization names it, which goes first: after a crash, the next one
// would not know what is left.
func (r *Removal) record(ctx context.Context) error {
	for _, o := range slices.Concat(r.flux, r.others) {
		if err := r.owner.TakeUp(ctx, o); err != nil {
			return fmt.Errorf("recording %s: %w", nameOf(o), err)
		}
	}
	return nil
}

// quiet suspends the demo's Kustomizations: they make nothing again, and
// leave the removal to us. Flux takes objects that it has found over, and
// namespaces with all that is in them; we look at each.
func (r *Removal) quiet(ctx context.Context) error {
	for _, o := range r.flux {
		if o.GetKind() != ownership.KustomizationKind().Kind {
			continue
		}
		err := r.owner.Patch(ctx, o, map[string]any{"spec": map[string]any{"suspend": true}})
		if err := r.owner.Leave(err); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("suspending %s: %w", nameOf(o), err)
		}
	}
	return nil
}

// release removes Flux's own objects. Where no controller of Flux answers any
// more, nothing waits for it forever.
func (r *Removal) release(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, releaseTime)
	defer cancel()
	err := each(short, r.flux, r.remove)
	if err == nil || ctx.Err() != nil || short.Err() == nil {
		return err
	}
	for _, o := range r.flux {
		err := r.client.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			err = r.owner.Leave(r.owner.Patch(ctx, o, map[string]any{"metadata": map[string]any{"finalizers": nil}}))
		}
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("removing %s: %w", nameOf(o), err)
		}
	}
	return each(ctx, r.flux, r.remove)
}

// remove removes an object and waits until it is gone. A watch that the API
// server closes, as it does from time to time, is opened again.
func (r *Removal) remove(ctx context.Context, o *unstructured.Unstructured) error {
	for {
		err := r.owner.Remove(ctx, o)
		if !errors.Is(err, ownership.ErrStillThere) || ctx.Err() != nil {
			return r.owner.Leave(err)
		}
	}
}

// holder removes what may hold things of others, unless it does.
func (r *Removal) holder(ctx context.Context, o *unstructured.Unstructured, vacant func() error) error {
	if err := vacant(); err != nil {
		return r.owner.Leave(err)
	}
	return r.remove(ctx, o)
}
