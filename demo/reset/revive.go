package reset

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo"
)

// untouched is how long Kubernetes surely leaves alone what a namespace that is being deleted holds. It begins after five
// seconds (namespaceDeletionGracePeriod in k8s.io/kubernetes/pkg/controller/namespace), and the time of the deletion has
// whole seconds.
const untouched = 4 * time.Second

// revive creates namespaces of the fleet anew that are being deleted: by a learner, or by Flux because a commit took them
// out. Flux would apply such a namespace without a change, and then wait a minute for it, though it was gone after five
// seconds.
//
// It lets the namespace go at once, as long as Kubernetes has not begun to delete what it holds: the reset has removed
// what does not belong there, and Flux takes up the rest. On a cluster of others it leaves that to Kubernetes.
func (r *resetter) revive(ctx context.Context) error {
	if !r.owner.Alone() {
		return nil
	}
	for _, name := range []string{demo.AppNamespace, demo.Playground} {
		if err := r.reviveOne(ctx, name); err != nil {
			return fmt.Errorf("creating the namespace %s, which is being deleted, anew: %w", name, err)
		}
	}
	return nil
}

func (r *resetter) reviveOne(ctx context.Context, name string) error {
	there := &corev1.Namespace{}
	switch err := r.client.Get(ctx, client.ObjectKey{Name: name}, there); {
	case apierrors.IsNotFound(err):
		if !r.going[name] {
			return nil
		}
	case err != nil:
		return err
	case there.DeletionTimestamp == nil:
		return nil
	default:
		r.going[name] = true
		if time.Since(there.DeletionTimestamp.Time) > untouched {
			return nil // it is gone in a moment
		}
		there.Spec.Finalizers = nil
		err := r.client.SubResource("finalize").Update(ctx, there)
		if apierrors.IsConflict(err) {
			return nil // the next look sees what has changed
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	anew := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err := r.client.Create(ctx, anew, client.FieldOwner("kustomize-controller"))
	if apierrors.IsAlreadyExists(err) {
		return nil // by Flux, or it has not gone yet
	}
	return err
}
