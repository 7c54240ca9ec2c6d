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

	"github.com/fluxdemo/fluxdemo/clusters"
)

// parallel is how many objects are applied at a time. More than this only
// queues in an API server that has two cores.
const parallel = 8

// applier applies objects with server-side apply, with labels that say whose
// they are.
type applier struct {
	client   client.WithWatch
	manager  *ssa.ResourceManager
	recorder clusters.Recorder // nil for a cluster that is all ours
}

func newApplier(c client.WithWatch, cluster clusters.Cluster) *applier {
	// No status poller: who waits here watches (see await.go).
	a := &applier{client: c, manager: ssa.NewResourceManager(c, nil, ssa.Owner{
		Field: "fluxdemo",
		Group: "fluxdemo.github.io",
	})}
	a.recorder, _ = cluster.(clusters.Recorder)
	return a
}

// record tells the recorder, if there is one, about an object that is about
// to be created.
func (a *applier) record(ctx context.Context, object *unstructured.Unstructured) error {
	if a.recorder == nil {
		return nil
	}
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(object.GroupVersionKind())
	err := a.client.Get(ctx, client.ObjectKeyFromObject(object), there)
	if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		return err
	}
	if err == nil {
		return nil
	}
	return a.recorder.Creating(clusters.Object{
		APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(),
	})
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
				there := &unstructured.Unstructured{}
				there.SetGroupVersionKind(object.GroupVersionKind())
				err := a.client.Get(ctx, client.ObjectKeyFromObject(object), there)
				if apierrors.IsNotFound(err) {
					if err := a.record(ctx, object); err != nil {
						return err
					}
					// As kustomize-controller will, so that the first
					// reconciliation changes nothing.
					return a.client.Create(ctx, object.DeepCopy(), client.FieldOwner("kustomize-controller"))
				}
				return err
			})
		})
	}
	return group.Wait()
}

func (a *applier) all(ctx context.Context, objects []*unstructured.Unstructured) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	a.manager.SetOwnerLabels(objects, "fluxdemo", DemoNamespace)
	for _, object := range objects {
		group.Go(func() error {
			return retry(ctx, object, func() error {
				if err := a.record(ctx, object); err != nil {
					return err
				}
				_, err := a.manager.Apply(ctx, object, ssa.DefaultApplyOptions())
				return err
			})
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
