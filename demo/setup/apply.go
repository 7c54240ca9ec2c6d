package setup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/pkg/ssa"
	ssautils "github.com/fluxcd/pkg/ssa/utils"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// parallel is how many objects are applied at a time. More than this only
// queues in an API server that has two cores.
const parallel = 8

// applier applies objects with server-side apply, with labels that say whose
// they are.
type applier struct {
	client  client.WithWatch
	manager *ssa.ResourceManager
	owner   *ownership.Owner
}

func newApplier(c client.WithWatch, owner *ownership.Owner) *applier {
	// No status poller: who waits here watches (see await.go).
	return &applier{client: c, owner: owner, manager: ssa.NewResourceManager(c, nil, ssa.Owner{
		Field: fieldManager,
		Group: "fluxdemo.github.io",
	})}
}

// fieldManager is who has written what the demo applies.
const fieldManager = "fluxdemo"

// there reads the object of that name, and returns nil if it does not exist.
func (a *applier) there(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	there := named(object.GroupVersionKind(), object.GetNamespace(), object.GetName())
	err := a.client.Get(ctx, client.ObjectKeyFromObject(object), there)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil //nolint:nilnil // it is not there, which is no error
	}
	return there, err
}

// one applies an object. On a cluster of others it makes it, or changes what
// is provably the demo's.
func (a *applier) one(ctx context.Context, object *unstructured.Unstructured) error {
	if a.owner.Alone() {
		_, err := a.manager.Apply(ctx, object, ssa.DefaultApplyOptions())
		return err
	}
	there, err := a.there(ctx, object)
	if err != nil {
		return err
	}
	object = object.DeepCopy()
	if there == nil {
		return a.owner.Create(ctx, object, client.FieldOwner(fieldManager))
	}
	if err := a.owner.Check(ctx, there); err != nil {
		return err
	}
	object.SetUID(there.GetUID()) // not another one of that name
	_, err = a.manager.Apply(ctx, object, ssa.DefaultApplyOptions())
	return err
}

// definitions applies what other objects need: namespaces and CRDs.
func (a *applier) definitions(ctx context.Context, sets ...[]*unstructured.Unstructured) error {
	var objects []*unstructured.Unstructured
	for _, set := range sets {
		for _, object := range set {
			if ssautils.IsClusterDefinition(object) {
				objects = append(objects, object)
			}
		}
	}
	return a.all(ctx, objects)
}

// rest applies everything but what definitions applies.
func (a *applier) rest(ctx context.Context, objects []*unstructured.Unstructured) error {
	var rest []*unstructured.Unstructured
	for _, object := range objects {
		if !ssautils.IsClusterDefinition(object) {
			rest = append(rest, object)
		}
	}
	return a.all(ctx, rest)
}

// missing applies the objects that do not exist yet. What Flux manages from
// Git is Flux's, once it is there.
func (a *applier) missing(ctx context.Context, objects []*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, object := range objects {
		group.Go(func() error {
			return retry(ctx, object, func() error {
				there, err := a.there(ctx, object)
				if err != nil {
					return err
				}
				if there != nil {
					return a.owner.Check(ctx, there)
				}
				return a.seed(ctx, object)
			})
		})
	}
	return group.Wait()
}

// seed creates an object that Flux is to manage from Git.
func (a *applier) seed(ctx context.Context, object *unstructured.Unstructured) error {
	// As kustomize-controller will, so that the first reconciliation changes
	// nothing.
	if err := a.owner.Create(ctx, object.DeepCopy(), client.FieldOwner("kustomize-controller")); err != nil || a.owner.Alone() {
		return err
	}
	// Git says nothing about the demo's mark: it stays while it has a manager
	// of its own.
	mark := named(object.GroupVersionKind(), object.GetNamespace(), object.GetName())
	ownership.Mark(mark)
	return a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(mark), client.FieldOwner(fieldManager))
}

func (a *applier) all(ctx context.Context, objects []*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	a.manager.SetOwnerLabels(objects, "fluxdemo", DemoNamespace)
	for _, object := range objects {
		group.Go(func() error {
			return retry(ctx, object, func() error { return a.one(ctx, object) })
		})
	}
	return group.Wait()
}

// patience is how long an API server that has just started may refuse what
// it will take.
const patience = 30 * time.Second

// retry calls try again while it fails for a reason that passes on a cluster
// that has just started: a CRD that is not served yet (404), a service range
// that is not loaded yet (500, "range is full"), a namespace or a service
// account that is being made. There is nothing to watch for these.
func retry(ctx context.Context, object *unstructured.Unstructured, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil || !passing(err) {
			return wrap(object, err)
		}
		select {
		case <-ctx.Done():
			return wrap(object, err)
		case <-ticker.C:
		}
	}
}

func wrap(object *unstructured.Unstructured, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("applying %s: %w", ssautils.FmtUnstructured(object), err)
}

func passing(err error) bool {
	return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) ||
		apierrors.IsServerTimeout(err) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) ||
		strings.Contains(err.Error(), "range is full") || strings.Contains(err.Error(), "not yet") ||
		strings.Contains(err.Error(), "connection refused")
}
