package object

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fluxcd/pkg/apis/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Requested returns the reconcile request that an object carries, "" if there is none.
func Requested(o metav1.Object) string {
	return o.GetAnnotations()[meta.ReconcileRequestAnnotation]
}

// Handled returns the reconcile request that an object's controller has handled last, "" if there is none.
func Handled(o *unstructured.Unstructured) string {
	return Text(o, "status", "lastHandledReconcileAt")
}

// Request returns the merge patch that asks an object's controller to reconcile it. token identifies the request; to
// compare requests by time, use the time as time.RFC3339Nano.
func Request(token string) map[string]any {
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{meta.ReconcileRequestAnnotation: token}}}
}

// Ask sends a Request for an object. It reads only the object's name and UID, and changes nothing in it. If the UID is
// set, an object of the same name that was created later is not asked: the error is a conflict.
func Ask(ctx context.Context, c client.Client, o client.Object, token string) error {
	patch := Request(token)
	if uid := o.GetUID(); uid != "" {
		if err := unstructured.SetNestedField(patch, string(uid), "metadata", "uid"); err != nil {
			return fmt.Errorf("requesting a reconciliation: %w", err)
		}
	}
	raw, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("requesting a reconciliation: %w", err)
	}
	// The client writes the answer into what it is given.
	there, ok := o.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("requesting a reconciliation: a copy of %T is no object", o)
	}
	return c.Patch(ctx, there, client.RawPatch(types.MergePatchType, raw))
}
