package existing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/fluxdemo/fluxdemo/clusters"
)

const (
	// pruneTime is how long Flux may take to remove what it has applied.
	pruneTime = 45 * time.Second
	// removeTime is for all of a removal; namespaces take their time.
	removeTime = 3 * time.Minute
	// parallel is how many objects are removed at a time.
	parallel = 8
)

// Applied returns what Flux has applied from the demo's repository, as its
// Kustomizations tell it.
func (c *Cluster) Applied(ctx context.Context) ([]clusters.Object, error) {
	clients, err := connect(c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	created, err := c.Inventory()
	if err != nil {
		return nil, err
	}
	return clients.applied(ctx, created)
}

// applied follows the Kustomizations among objects, and those that these
// have applied. What stands in objects is not repeated.
func (c clients) applied(ctx context.Context, objects []clusters.Object) ([]clusters.Object, error) {
	var found []clusters.Object
	for todo := slices.Clone(objects); len(todo) > 0; todo = todo[1:] {
		if todo[0].Kind != "Kustomization" || !strings.HasSuffix(groupOf(todo[0]), fluxGroup) {
			continue
		}
		kustomization, err := c.get(ctx, todo[0])
		if err != nil {
			return nil, err
		}
		if kustomization == nil {
			continue
		}
		entries, _, _ := unstructured.NestedSlice(kustomization.Object, "status", "inventory", "entries")
		for _, each := range entries {
			entry, _ := each.(map[string]any)
			object, ok := parseEntry(fmt.Sprint(entry["id"]), fmt.Sprint(entry["v"]))
			if ok && !slices.Contains(objects, object) && !slices.Contains(found, object) {
				found, todo = append(found, object), append(todo, object)
			}
		}
	}
	return found, nil
}

// parseEntry reads an entry of a Kustomization's inventory:
// namespace_name_group_Kind, with : as __ in names, and the API's version.
func parseEntry(id, version string) (clusters.Object, bool) {
	parts := strings.Split(strings.ReplaceAll(id, "__", ":"), "_")
	if len(parts) != 4 {
		return clusters.Object{}, false
	}
	return clusters.Object{
		APIVersion: schema.GroupVersion{Group: parts[2], Version: version}.String(),
		Kind:       parts[3], Namespace: parts[0], Name: parts[1],
	}, true
}

func groupOf(o clusters.Object) string {
	version, err := schema.ParseGroupVersion(o.APIVersion)
	if err != nil {
		return ""
	}
	return version.Group
}

// remove takes the demo off the cluster: first Flux's own objects, so that
// Flux cleans up after itself, then everything else, the last created first.
func (c *Cluster) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removeTime, fmt.Errorf("not gone after %s", removeTime))
	defer cancel()
	clients, err := connect(c.Kubeconfig())
	if err != nil {
		return err
	}
	if err := clients.answers(ctx); err != nil {
		return fmt.Errorf("the cluster does not answer: %w; if it is gone for good, remove %s", err, c.dir)
	}
	created, err := c.Inventory()
	if err != nil {
		return err
	}
	applied, err := clients.applied(ctx, created)
	if err != nil {
		return err
	}
	isFlux := func(o clusters.Object) bool { return strings.HasSuffix(groupOf(o), fluxGroup) }
	rest := slices.DeleteFunc(slices.Clone(created), isFlux)
	flux := slices.Concat(created, applied)
	flux = slices.DeleteFunc(flux, func(o clusters.Object) bool { return !isFlux(o) })
	if err := clients.prune(ctx, flux); err != nil {
		return err
	}
	// What a suspended Kustomization had applied is still there.
	left := slices.DeleteFunc(slices.Concat(rest, applied), isFlux)
	slices.Reverse(left)
	return clients.removeAll(ctx, left)
}

// prune deletes Flux's objects and waits until Flux has cleaned up after
// each. A Flux that cannot do it any more is not waited for forever.
func (c clients) prune(ctx context.Context, objects []clusters.Object) error {
	short, cancel := context.WithTimeout(ctx, pruneTime)
	defer cancel()
	err := c.removeAll(short, objects)
	if err == nil || ctx.Err() != nil || short.Err() == nil {
		return err
	}
	for _, object := range objects {
		resource, err := c.resource(object)
		if err != nil || resource == nil {
			continue // its kind is gone, and so is it
		}
		free := []byte(`{"metadata":{"finalizers":null}}`)
		_, err = resource.Patch(ctx, object.Name, types.MergePatchType, free, metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("removing %s: %w", object, err)
		}
	}
	return c.removeAll(ctx, objects)
}

// removeAll deletes objects, in this order but several at a time, and
// returns when all are gone.
func (c clients) removeAll(ctx context.Context, objects []clusters.Object) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, object := range objects {
		group.Go(func() error { return c.delete(groupCtx, object) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, object := range objects {
		if err := c.awaitGone(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func (c clients) delete(ctx context.Context, object clusters.Object) error {
	resource, err := c.resource(object)
	if err != nil || resource == nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	err = resource.Delete(ctx, object.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing %s: %w", object, err)
	}
	return nil
}

// awaitGone watches an object until it is gone.
func (c clients) awaitGone(ctx context.Context, object clusters.Object) error {
	for {
		there, err := c.get(ctx, object)
		if err != nil || there == nil {
			return err
		}
		resource, err := c.resource(object)
		if err != nil || resource == nil {
			return err
		}
		watcher, err := resource.Watch(ctx, metav1.ListOptions{
			FieldSelector:   fields.OneTermEqualSelector("metadata.name", object.Name).String(),
			ResourceVersion: there.GetResourceVersion(),
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("watching %s: %w", object, err)
		}
		if err == nil {
			err = awaitDeleted(watcher)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("removing %s: it is still there: %w", object, context.Cause(ctx))
		}
	}
}

// errClosed says that a watch has ended before its time.
var errClosed = errors.New("the watch was closed")

func awaitDeleted(watcher watch.Interface) error {
	defer watcher.Stop()
	for event := range watcher.ResultChan() {
		if event.Type == watch.Deleted {
			return nil
		}
		if event.Type == watch.Error {
			return errClosed // look again
		}
	}
	return errClosed
}

// get returns an object, or nil if it is not there.
func (c clients) get(ctx context.Context, object clusters.Object) (*unstructured.Unstructured, error) {
	resource, err := c.resource(object)
	if err != nil || resource == nil {
		return nil, err
	}
	there, err := resource.Get(ctx, object.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", object, err)
	}
	return there, nil
}

// resource returns where the API has objects like this, or nil if it does
// not know their kind.
func (c clients) resource(object clusters.Object) (dynamic.ResourceInterface, error) {
	version, err := schema.ParseGroupVersion(object.APIVersion)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", object, err)
	}
	mapping, err := c.mapper.RESTMapping(schema.GroupKind{Group: version.Group, Kind: object.Kind}, version.Version)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the kind of %s: %w", object, err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.dynamic.Resource(mapping.Resource).Namespace(object.Namespace), nil
	}
	return c.dynamic.Resource(mapping.Resource), nil
}
