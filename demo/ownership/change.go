package ownership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fluxcd/pkg/ssa"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Mark sets the demo's mark on objects that are about to be made.
func Mark(objects ...client.Object) {
	for _, o := range objects {
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[MarkLabel] = MarkValue
		o.SetLabels(labels)
	}
}

// Create makes an object that is not there. On a cluster of others that is
// recorded before and after, and the object gets the mark. It fails with
// AlreadyExists if the name is taken.
func (w *Owner) Create(ctx context.Context, o client.Object, options ...client.CreateOption) error {
	if w.ledger == nil {
		return w.client.Create(ctx, o, options...)
	}
	name, err := w.Name(o)
	if err != nil {
		return err
	}
	if err := w.ledger.intend(name); err != nil {
		return err
	}
	Mark(o)
	if err := w.client.Create(ctx, o, options...); err != nil {
		return err
	}
	return w.ledger.created(name, o.GetUID())
}

// TakeUp records an object that Flux made for the demo, if the record does
// not name it yet. The caller knows that it was not there before the demo.
func (w *Owner) TakeUp(ctx context.Context, o client.Object) error {
	if w.ledger == nil {
		return nil
	}
	name, err := w.Name(o)
	if err != nil {
		return err
	}
	if _, known := w.ledger.find(name); known {
		return nil
	}
	if err := w.applied(ctx, name, o); err != nil {
		return w.Leave(err)
	}
	return w.ledger.created(name, o.GetUID())
}

// Batch makes many objects with one record before and one after.
type Batch struct {
	owner   *Owner
	objects []*unstructured.Unstructured
}

// Intend records on a cluster of others that all these objects are about to
// be made, and marks them.
func (w *Owner) Intend(ctx context.Context, objects []*unstructured.Unstructured) (*Batch, error) {
	b := &Batch{owner: w, objects: objects}
	if w.ledger == nil {
		return b, nil
	}
	var names []Object
	for _, o := range objects {
		name, err := w.Name(o)
		if err != nil {
			return nil, err
		}
		Mark(o)
		if _, known := w.ledger.find(name); known {
			// What is there keeps its UID in the record; Apply checks it.
			there := &metav1.PartialObjectMetadata{}
			there.SetGroupVersionKind(o.GroupVersionKind())
			err := w.client.Get(ctx, client.ObjectKeyFromObject(o), there)
			if err == nil {
				continue
			}
			if !apierrors.IsNotFound(err) {
				return nil, fmt.Errorf("looking for %s: %w", name, err)
			}
		}
		names = append(names, name)
	}
	return b, w.ledger.intend(names...)
}

// Apply makes one of the objects, or applies it where it is there and the
// demo's. Several goroutines may call it, each for another object.
func (b *Batch) Apply(ctx context.Context, o *unstructured.Unstructured, manager string) error {
	w := b.owner
	if w.ledger == nil {
		return w.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(manager), client.ForceOwnership)
	}
	made := o.DeepCopy()
	err := w.client.Create(ctx, made, client.FieldOwner(manager))
	if err == nil {
		o.SetUID(made.GetUID())
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(o.GroupVersionKind())
	if err := w.client.Get(ctx, client.ObjectKeyFromObject(o), there); err != nil {
		return err
	}
	return w.Apply(ctx, o, there, manager)
}

// Done records the UIDs of what was made, also after a part of it failed.
func (b *Batch) Done() error {
	if b.owner.ledger == nil {
		return nil
	}
	var entries []entry
	for _, o := range b.objects {
		if o.GetUID() == "" {
			continue
		}
		name, err := b.owner.Name(o)
		if err != nil {
			return err
		}
		entries = append(entries, entry{Object: name, UID: o.GetUID()})
	}
	if len(entries) == 0 {
		return nil
	}
	return b.owner.ledger.record(entries...)
}

// Apply makes there, as it was read from the cluster, what wanted says, with
// server-side apply. It fails with a *ForeignError if there is not the
// demo's, and with a conflict if it was made again since it was read.
func (w *Owner) Apply(ctx context.Context, wanted, there *unstructured.Unstructured, manager string) error {
	if err := w.Check(ctx, there); err != nil {
		return err
	}
	wanted = wanted.DeepCopy()
	wanted.SetUID(there.GetUID())
	return w.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner(manager), client.ForceOwnership)
}

// Patch merges change into an object that was read from the cluster, with a
// JSON merge patch. It fails with a *ForeignError if the object is not the
// demo's, and with an error of the API server if it was made again since it
// was read. o becomes what the server has then.
func (w *Owner) Patch(ctx context.Context, o client.Object, change map[string]any) error {
	if err := w.Check(ctx, o); err != nil {
		return err
	}
	// The server refuses another UID than the object's own: it cannot change.
	if err := unstructured.SetNestedField(change, string(o.GetUID()), "metadata", "uid"); err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	raw, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	return w.client.Patch(ctx, o, client.RawPatch(types.MergePatchType, raw))
}

// PatchJSON is as Patch, with a JSON patch.
func (w *Owner) PatchJSON(ctx context.Context, o client.Object, change []ssa.JSONPatch) error {
	if err := w.Check(ctx, o); err != nil {
		return err
	}
	operations := []any{map[string]any{"op": "test", "path": "/metadata/uid", "value": o.GetUID()}}
	for _, each := range change {
		operations = append(operations, each)
	}
	raw, err := json.Marshal(operations)
	if err != nil {
		return fmt.Errorf("writing a patch: %w", err)
	}
	return w.client.Patch(ctx, o, client.RawPatch(types.JSONPatchType, raw))
}

// Delete deletes an object that was read from the cluster, and returns at
// once. It fails with a *ForeignError if the object is not the demo's. One
// that is gone is no error; one that was made again since it was read is a
// *ForeignError.
func (w *Owner) Delete(ctx context.Context, o client.Object, how metav1.DeletionPropagation) error {
	if err := w.Check(ctx, o); err != nil {
		return err
	}
	uid := o.GetUID()
	err := w.client.Delete(ctx, o, client.PropagationPolicy(how), client.Preconditions{UID: &uid})
	if err == nil {
		w.mu.Lock()
		w.removed[uid] = true
		w.mu.Unlock()
	}
	switch {
	case err == nil || apierrors.IsNotFound(err):
		return nil
	case apierrors.IsConflict(err):
		name, nameErr := w.Name(o)
		if nameErr != nil {
			return nameErr
		}
		return &ForeignError{name, "it was created again just now"}
	}
	return err
}

// Remove deletes an object as Delete does, and waits until it is gone.
func (w *Owner) Remove(ctx context.Context, o *unstructured.Unstructured) error {
	name, err := w.Name(o)
	if err != nil {
		return err
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(o.GroupVersionKind())
	// From before the deletion, so that it cannot be missed.
	watcher, err := w.client.Watch(ctx, list, client.InNamespace(o.GetNamespace()),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", o.GetName())})
	if err != nil {
		return fmt.Errorf("watching %s: %w", name, err)
	}
	defer watcher.Stop()
	uid := o.GetUID()
	if err := w.Delete(ctx, o, metav1.DeletePropagationBackground); err != nil {
		if isForeign(err) {
			return err
		}
		return fmt.Errorf("deleting %s: %w", name, err)
	}
	// It may have gone before the watch began.
	there := o.DeepCopy()
	if err := w.client.Get(ctx, client.ObjectKeyFromObject(o), there); apierrors.IsNotFound(err) || err == nil && there.GetUID() != uid {
		return nil
	}
	for event := range watcher.ResultChan() {
		if event.Type == watch.Deleted {
			return nil
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("deleting %s: %w: %w", name, ErrStillThere, context.Cause(ctx))
	}
	return fmt.Errorf("deleting %s: %w", name, ErrStillThere) // the API server has closed the watch
}

// ErrStillThere says that an object that was deleted has not gone yet.
var ErrStillThere = errors.New("it still exists")
