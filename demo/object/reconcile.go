package object

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Reconcile asks Flux to reconcile an object now, and returns when it has and the object is ready. o is read for its kind,
// namespace and name only. A suspended object is an error, because Flux leaves the request unanswered; at ctx's end the
// error has what the object said last.
func Reconcile(ctx context.Context, c client.WithWatch, o *unstructured.Unstructured) error {
	there := Named(o.GroupVersionKind(), o.GetNamespace(), o.GetName())
	if err := c.Get(ctx, client.ObjectKeyFromObject(o), there); err != nil {
		return fmt.Errorf("reading %s: %w", Key(o), err)
	}
	if Suspended(there) {
		return fmt.Errorf("%s is suspended; `flux resume` continues it", Key(o))
	}
	token := time.Now().Format(time.RFC3339Nano)
	if err := Ask(ctx, c, there, token); err != nil {
		return fmt.Errorf("asking Flux to reconcile %s: %w", Key(o), err)
	}
	return Await(ctx, c, o, func(u *unstructured.Unstructured) bool { return Handled(u) == token })
}
