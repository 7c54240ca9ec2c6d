package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// parallel is how many objects are applied at a time: enough to keep an API
// server on two cores busy.
const parallel = 16

// manager is the field manager of what is applied.
const manager = "fluxdemo-load"

// Apply applies objects with server-side apply, many at a time, namespaces
// first. It calls progress with the number of applied objects. On an existing
// cluster it changes only the demo's objects.
func Apply(ctx context.Context, c client.Client, owner *ownership.Owner, objects []client.Object, progress func(done int)) (err error) {
	all := make([]*unstructured.Unstructured, len(objects))
	for i, o := range objects {
		gvk, err := apiutil.GVKForObject(o, c.Scheme())
		if err != nil {
			return err
		}
		raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return err
		}
		u := &unstructured.Unstructured{Object: raw}
		u.SetGroupVersionKind(gvk)
		unstructured.RemoveNestedField(u.Object, "status")
		unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
		all[i] = u
	}
	batch, err := owner.Intend(ctx, all)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, batch.Done()) }()
	var done atomic.Int64
	apply := func(namespaces bool) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for _, u := range all {
			if (u.GetKind() == "Namespace") != namespaces {
				continue
			}
			group.Go(func() error {
				if err := batch.Apply(ctx, u, manager); err != nil {
					return fmt.Errorf("applying %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
				}
				progress(int(done.Add(1)))
				return nil
			})
		}
		return group.Wait()
	}
	if err := apply(true); err != nil {
		return err
	}
	return apply(false)
}

// Remove deletes all tenants of the demo, and returns when they are gone with
// everything in them. It keeps a namespace that holds other objects, and
// records that in owner. It calls progress with the number of objects left in
// the current phase.
func Remove(ctx context.Context, c client.WithWatch, owner *ownership.Owner, progress func(left int, what string)) error {
	mine := client.HasLabels{Label}
	for {
		all := &corev1.NamespaceList{}
		if err := c.List(ctx, all, mine); err != nil {
			return fmt.Errorf("listing the tenants' namespaces: %w", err)
		}
		list := &corev1.NamespaceList{ListMeta: all.ListMeta}
		for i := range all.Items {
			err := owner.Check(ctx, &all.Items[i])
			if err == nil {
				list.Items = append(list.Items, all.Items[i])
			} else if err := owner.Leave(err); err != nil {
				return err
			}
		}
		if len(list.Items) == 0 {
			return nil
		}
		if err := release(ctx, c, owner, progress); err != nil {
			return err
		}
		if err := vacant(ctx, owner, list); err != nil {
			return err
		}
		if len(list.Items) == 0 {
			return nil
		}
		group, inner := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for i := range list.Items {
			if list.Items[i].DeletionTimestamp != nil {
				continue
			}
			group.Go(func() error {
				return owner.Leave(owner.Delete(inner, &list.Items[i], metav1.DeletePropagationBackground))
			})
		}
		if err := group.Wait(); err != nil {
			return fmt.Errorf("deleting the tenants' namespaces: %w", err)
		}
		if err := awaitGone(ctx, c, list, progress); err != nil {
			return err
		}
	}
}

// vacant takes out of the list the namespaces that hold something of others.
func vacant(ctx context.Context, owner *ownership.Owner, list *corev1.NamespaceList) error {
	var empty []corev1.Namespace
	for _, n := range list.Items {
		err := owner.Vacant(ctx, &n)
		if err == nil {
			empty = append(empty, n)
		} else if err := owner.Leave(err); err != nil {
			return err
		}
	}
	list.Items = empty
	return nil
}

// release deletes the Kustomizations without their controller, which would
// come to some of them only when the health check that it is busy with has
// timed out. It would leave what they applied to the namespace, as their
// deletion policy says: nothing is lost.
func release(ctx context.Context, c client.Client, owner *ownership.Owner, progress func(left int, what string)) error {
	list := &kustomizev1.KustomizationList{}
	if err := c.List(ctx, list, client.HasLabels{Label}); err != nil {
		return fmt.Errorf("listing the tenants' Kustomizations: %w", err)
	}
	left := len(list.Items)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range list.Items {
		k := &list.Items[i]
		progress(left-i, "Kustomizations")
		group.Go(func() error {
			err := owner.Delete(ctx, k, metav1.DeletePropagationBackground)
			if err == nil {
				// No finalizer is added to an object that is being deleted.
				err = owner.Patch(ctx, k, map[string]any{"metadata": map[string]any{"finalizers": nil}})
			}
			if err = owner.Leave(err); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("deleting %s/%s: %w", k.Namespace, k.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// awaitGone returns when the namespaces of list are gone, or the watch ends.
func awaitGone(ctx context.Context, c client.WithWatch, list *corev1.NamespaceList, progress func(left int, what string)) error {
	left := map[string]string{} // name -> why it is still there
	for _, n := range list.Items {
		left[n.Name] = "it is being deleted"
	}
	watcher, err := c.Watch(ctx, &corev1.NamespaceList{}, client.HasLabels{Label}, &client.ListOptions{
		Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion},
	})
	if apierrors.IsResourceExpired(err) {
		return nil // the caller lists again
	}
	if err != nil {
		return fmt.Errorf("watching the tenants' namespaces: %w", err)
	}
	defer watcher.Stop()
	last := time.Time{}
	for len(left) > 0 {
		select {
		case <-ctx.Done():
			for name, why := range left {
				return fmt.Errorf("%d namespaces are left, such as %s: %s (%w)", len(left), name, why, context.Cause(ctx))
			}
		case event, open := <-watcher.ResultChan():
			if !open || event.Type == watch.Error {
				return nil
			}
			n, ok := event.Object.(*corev1.Namespace)
			if !ok {
				continue
			}
			if event.Type == watch.Deleted {
				delete(left, n.Name)
			} else if len(n.Status.Conditions) > 0 {
				for _, condition := range n.Status.Conditions {
					if condition.Status == corev1.ConditionTrue {
						left[n.Name] = condition.Message
					}
				}
			}
			if time.Since(last) > 100*time.Millisecond {
				last = time.Now()
				progress(len(left), "namespaces")
			}
		}
	}
	return nil
}
