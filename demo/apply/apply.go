// Package apply applies the demo's objects to a cluster with server-side apply. On an existing cluster it changes only
// what is provably the demo's.
package apply

import (
	"context"

	"github.com/fluxcd/pkg/ssa"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// Parallel is how many objects are applied at a time. More than this only
// queues in an API server that has two cores.
const Parallel = 8

// FieldManager is who has written what the demo applies.
const FieldManager = "fluxdemo"

// Applier applies objects with server-side apply, with labels that say whose
// they are.
type Applier struct {
	client  client.WithWatch
	manager *ssa.ResourceManager
	owner   *ownership.Owner
}

// New returns an Applier that puts objects on c as the demo's.
func New(c client.WithWatch, owner *ownership.Owner) *Applier {
	// No status poller: who waits here watches (see await.go).
	return &Applier{client: c, owner: owner, manager: ssa.NewResourceManager(c, nil, ssa.Owner{
		Field: FieldManager,
		Group: "fluxdemo.github.io",
	})}
}

// There reads the object of that name, and returns nil if it does not exist.
func (a *Applier) There(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	there := object.Named(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	err := a.client.Get(ctx, client.ObjectKeyFromObject(o), there)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil //nolint:nilnil // it is not there, which is no error
	}
	return there, err
}

// One applies an object. On a cluster of others it makes it, or changes what
// is provably the demo's.
func (a *Applier) One(ctx context.Context, o *unstructured.Unstructured) error {
	if a.owner.Alone() {
		_, err := a.manager.Apply(ctx, o, ssa.DefaultApplyOptions())
		return err
	}
	there, err := a.There(ctx, o)
	if err != nil {
		return err
	}
	o = o.DeepCopy()
	if there == nil {
		return a.owner.Create(ctx, o, client.FieldOwner(FieldManager))
	}
	if err := a.owner.Check(ctx, there); err != nil {
		return err
	}
	o.SetUID(there.GetUID()) // not another one of that name
	_, err = a.manager.Apply(ctx, o, ssa.DefaultApplyOptions())
	return err
}

// Definitions applies what other objects need: namespaces and CRDs.
func (a *Applier) Definitions(ctx context.Context, sets ...[]*unstructured.Unstructured) error {
	var objects []*unstructured.Unstructured
	for _, set := range sets {
		for _, o := range set {
			if ssautils.IsClusterDefinition(o) {
				objects = append(objects, o)
			}
		}
	}
	return a.All(ctx, objects)
}

// Rest applies everything but what definitions applies.
func (a *Applier) Rest(ctx context.Context, objects []*unstructured.Unstructured) error {
	var rest []*unstructured.Unstructured
	for _, o := range objects {
		if !ssautils.IsClusterDefinition(o) {
			rest = append(rest, o)
		}
	}
	return a.All(ctx, rest)
}

// Missing applies the objects that do not exist yet. What Flux manages from
// Git is Flux's, once it is there.
func (a *Applier) Missing(ctx context.Context, objects []*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(Parallel)
	for _, o := range objects {
		group.Go(func() error {
			return object.Retry(ctx, o, func() error {
				there, err := a.There(ctx, o)
				if err != nil {
					return err
				}
				if there != nil {
					return a.owner.Check(ctx, there)
				}
				return a.Seed(ctx, o)
			})
		})
	}
	return group.Wait()
}

// Seed creates an object that Flux is to manage from Git.
func (a *Applier) Seed(ctx context.Context, o *unstructured.Unstructured) error {
	// As kustomize-controller will, so that the first reconciliation changes
	// nothing.
	if err := a.owner.Create(ctx, o.DeepCopy(), client.FieldOwner("kustomize-controller")); err != nil || a.owner.Alone() {
		return err
	}
	// Git says nothing about the demo's mark: it stays while it has a manager
	// of its own.
	mark := object.Named(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	ownership.Mark(mark)
	return a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(mark), client.FieldOwner(FieldManager))
}

// All applies objects, several at a time.
func (a *Applier) All(ctx context.Context, objects []*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(Parallel)
	a.manager.SetOwnerLabels(objects, "fluxdemo", demo.DemoNamespace)
	for _, o := range objects {
		group.Go(func() error {
			return object.Retry(ctx, o, func() error { return a.One(ctx, o) })
		})
	}
	return group.Wait()
}
