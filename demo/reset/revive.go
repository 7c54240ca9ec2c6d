package reset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// untouched is how long Kubernetes surely leaves alone what a namespace that is being deleted holds. It begins after five
// seconds (namespaceDeletionGracePeriod in k8s.io/kubernetes/pkg/controller/namespace), and the time of the deletion has
// whole seconds.
const untouched = 4 * time.Second

// reviving creates namespaces of the fleet anew that are being deleted: by a learner, or by Flux because a commit took
// them out. Flux applies such a namespace without a change, and then waits a minute for it, though it was gone after five
// seconds. That happens before a reset, too, so it goes on from the beginning of the reset until stop.
//
// It lets a namespace go at once, as long as Kubernetes has not begun to delete what it holds: the reset removes what
// does not belong there, and Flux takes up the rest. On a cluster of others it leaves that to Kubernetes.
//
// stop returns why it has ended before.
func (r *resetter) reviving(ctx context.Context) (stop func() error) {
	if !r.owner.Alone() {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		going := map[string]bool{}
		kind := corev1.SchemeGroupVersion.WithKind("Namespace")
		done <- object.Follow(ctx, r.client, kind, "", func(all []*unstructured.Unstructured) (string, error) {
			return "the end of the reset", r.revive(ctx, all, going)
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

// revive looks once at all namespaces. going are those of the fleet that were being deleted, by name.
func (r *resetter) revive(ctx context.Context, all []*unstructured.Unstructured, going map[string]bool) error {
	for _, name := range []string{demo.AppNamespace, demo.Playground} {
		i := slices.IndexFunc(all, func(o *unstructured.Unstructured) bool { return o.GetName() == name })
		var err error
		switch {
		case i < 0 && going[name]:
			err = r.anew(ctx, name)
		case i >= 0 && all[i].GetDeletionTimestamp() != nil:
			going[name] = true
			err = r.letGo(ctx, all[i])
		}
		if err != nil {
			return fmt.Errorf("creating the namespace %s, which was deleted, anew: %w", name, err)
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

// letGo removes what keeps a namespace there that is being deleted.
func (r *resetter) letGo(ctx context.Context, namespace *unstructured.Unstructured) error {
	if time.Since(namespace.GetDeletionTimestamp().Time) > untouched {
		return nil // it is gone in a moment
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
