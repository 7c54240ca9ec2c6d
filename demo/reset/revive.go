package reset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// untouched is how long Kubernetes surely leaves alone what a namespace that is being deleted holds. It begins after five
// seconds (namespaceDeletionGracePeriod in k8s.io/kubernetes/pkg/controller/namespace), and the time of the deletion has
// whole seconds.
const untouched = 4 * time.Second

// fleetNamespaces are those that the fleet's beginning has.
func fleetNamespaces() []string { return []string{demo.AppNamespace, demo.Playground} }

// reviving creates namespaces of the fleet that are missing, and those that are being deleted: by a learner, or by Flux
// because a commit took them out. Flux applies such a namespace without a change, and then waits a minute for it, though it
// was gone after five seconds. Before a reset, too: so this goes on from the beginning of the reset until stop.
//
// It does not wait five seconds for Kubernetes to begin: it removes what such a namespace holds, and lets it go. On a
// cluster of others it leaves all that to Kubernetes and Flux.
//
// stop returns why it has ended before.
func (r *resetter) reviving(ctx context.Context) (stop func() error) {
	if !r.owner.Alone() {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- object.Follow(ctx, r.client, namespaces(), "", func(all []*unstructured.Unstructured) (string, error) {
			return "the end of the reset", r.revive(ctx, all)
		})
	}()
	return func() error {
		ended := ctx.Err() != nil
		cancel()
		if err := <-done; !ended && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}

// revive looks once at all namespaces.
func (r *resetter) revive(ctx context.Context, all []*unstructured.Unstructured) error {
	for _, name := range fleetNamespaces() {
		var err error
		switch there := find(all, name); {
		case there == nil:
			err = r.anew(ctx, name)
		case there.GetDeletionTimestamp() != nil:
			err = r.letGo(ctx, there)
		}
		if err != nil {
			return fmt.Errorf("creating the namespace %s, which was deleted: %w", name, err)
		}
	}
	return nil
}

// anew creates a namespace as kustomize-controller would, which adds what Git says.
func (r *resetter) anew(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err := r.client.Create(ctx, namespace, client.FieldOwner("kustomize-controller"))
	if apierrors.IsAlreadyExists(err) {
		return nil // by Flux
	}
	return err
}

// letGo removes what a namespace holds that is being deleted, and once that is gone, what keeps the namespace there. What
// would stay would never work again: Kubernetes's controllers give up an object for good when its namespace is going.
func (r *resetter) letGo(ctx context.Context, namespace *unstructured.Unstructured) error {
	if time.Since(namespace.GetDeletionTimestamp().Time) > untouched {
		return nil // it is gone in a moment
	}
	holds := 0
	for _, kind := range append(sweptKinds(), appsv1.SchemeGroupVersion.WithKind("ReplicaSet"), discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice")) {
		err := object.Each(ctx, r.client, kind, []string{namespace.GetName()}, func(o *unstructured.Unstructured) error {
			switch {
			case furniture(o):
				return nil // the next namespace has it, too
			case o.GetDeletionTimestamp() == nil:
				holds++
				return r.owner.Delete(ctx, o, metav1.DeletePropagationBackground)
			}
			holds++
			return nil
		})
		if err != nil {
			return err
		}
	}
	if holds > 0 {
		return nil // until the next look
	}
	there := &corev1.Namespace{}
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(namespace.Object, there)
	if err != nil {
		return err
	}
	there.Spec.Finalizers = nil
	err = r.client.SubResource("finalize").Update(ctx, there)
	if apierrors.IsConflict(err) {
		return nil // the next look sees what has changed
	}
	return client.IgnoreNotFound(err)
}

// namespaced waits until no namespace of the fleet is being deleted: what Flux applies to one goes with it.
func (r *resetter) namespaced(ctx context.Context) error {
	return object.Follow(ctx, r.client, namespaces(), "", func(all []*unstructured.Unstructured) (string, error) {
		for _, name := range fleetNamespaces() {
			switch there := find(all, name); {
			case there == nil && r.owner.Alone():
				return "namespace/" + name + ": it is not created yet", nil
			case there != nil && there.GetDeletionTimestamp() != nil:
				return "namespace/" + name + ": it is being deleted", nil
			}
		}
		return "", nil
	})
}

// find returns the object of that name, nil if there is none.
func find(all []*unstructured.Unstructured, name string) *unstructured.Unstructured {
	i := slices.IndexFunc(all, func(o *unstructured.Unstructured) bool { return o.GetName() == name })
	if i < 0 {
		return nil
	}
	return all[i]
}

// furniture reports whether Kubernetes puts the object into each namespace.
func furniture(o *unstructured.Unstructured) bool {
	return o.GetName() == "kube-root-ca.crt" || o.GetKind() == "ServiceAccount" && o.GetName() == "default"
}

func namespaces() schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind("Namespace") }
