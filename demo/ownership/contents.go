package ownership

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lists is how many kinds of objects are listed at a time.
const lists = 8

// Contents returns what is in a namespace and not the demo's, and nothing on
// a cluster that is the demo's alone. What Kubernetes puts into each
// namespace is passed over, and so is what goes with its owner.
func (w *Owner) Contents(ctx context.Context, namespace string) ([]Object, error) {
	if w.ledger == nil {
		return nil, nil
	}
	kinds, err := w.kinds()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var all []*metav1.PartialObjectMetadata
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lists)
	for _, kind := range kinds {
		group.Go(func() error {
			found, err := w.list(groupCtx, kind, namespace)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found...)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return w.foreign(ctx, all, kinds)
}

// Vacant returns nil if a namespace holds nothing of others, else a
// *ForeignError about the namespace that names some of it.
func (w *Owner) Vacant(ctx context.Context, namespace client.Object) error {
	held, err := w.Contents(ctx, namespace.GetName())
	if err != nil {
		return err
	}
	return w.holds(namespace, held)
}

// holds returns a *ForeignError about o if it holds anything.
func (w *Owner) holds(o client.Object, held []Object) error {
	if len(held) == 0 {
		return nil
	}
	name, err := w.Name(o)
	if err != nil {
		return err
	}
	const most = 3
	var names []string
	for _, each := range held[:min(most, len(held))] {
		names = append(names, each.String())
	}
	why := "it holds what is not the demo's: " + strings.Join(names, ", ")
	if more := len(held) - most; more > 0 {
		why += fmt.Sprintf(" and %d more", more)
	}
	return &ForeignError{name, why}
}

// foreign picks those that are not the demo's. listed are the kinds that were
// listed: an owner of such a kind that is not among all is gone.
func (w *Owner) foreign(ctx context.Context, all []*metav1.PartialObjectMetadata, listed []schema.GroupVersionKind) ([]Object, error) {
	byUID := map[types.UID]*metav1.PartialObjectMetadata{}
	kinds := map[string]bool{}
	for _, o := range all {
		byUID[o.UID] = o
	}
	for _, kind := range listed {
		kinds[kind.Kind] = true
	}
	var foreign []Object
	for _, o := range all {
		if w.furniture(o) {
			continue
		}
		// An object with a controller is whatever that is.
		root := o
		for range all {
			controller := metav1.GetControllerOf(root)
			if controller == nil || byUID[controller.UID] == nil {
				break
			}
			root = byUID[controller.UID]
		}
		if controller := metav1.GetControllerOf(root); controller != nil && (w.made(controller.UID) || kinds[controller.Kind]) {
			continue // its owner is gone, and it is about to follow
		}
		if !w.isLeft(root) {
			err := w.Check(ctx, root)
			if err == nil {
				continue
			}
			if !isForeign(err) {
				return nil, err
			}
		}
		foreign = append(foreign, Object{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name})
	}
	slices.SortFunc(foreign, func(a, b Object) int { return strings.Compare(a.Key(), b.Key()) })
	return foreign, nil
}

// isLeft reports whether an object was kept before, for another reason than
// that it is not the demo's.
func (w *Owner) isLeft(o *metav1.PartialObjectMetadata) bool {
	name := Object{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.left, func(l Left) bool { return l.Key() == name.Key() })
}

// made reports whether the demo has created, or removed, an object with that
// UID.
func (w *Owner) made(uid types.UID) bool {
	w.mu.Lock()
	removed := w.removed[uid]
	w.mu.Unlock()
	return removed || w.ledger.hasUID(uid)
}

// furniture reports whether the object is a by-product of Kubernetes or of the
// demo's controllers, so that its removal does no harm.
func (w *Owner) furniture(o *metav1.PartialObjectMetadata) bool {
	switch o.Kind {
	case "Event":
		return true // a record
	case "Endpoints":
		_, kept := o.Labels["endpoints.kubernetes.io/managed-by"]
		_, timed := o.Annotations["endpoints.kubernetes.io/last-change-trigger-time"]
		return kept || timed // by Kubernetes, for a Service
	case "ConfigMap":
		return o.Name == "kube-root-ca.crt"
	case "ServiceAccount":
		return o.Name == "default"
	case "Lease":
		// Flux's controllers make one each, by their name.
		deployment, is := strings.CutSuffix(o.Name, "-leader-election")
		_, ours := w.ledger.find(Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: o.Namespace, Name: deployment})
		return is && ours
	}
	return false
}

// Unused returns nil if no objects of the kind that a CustomResourceDefinition
// defines are left that are not the demo's, else a *ForeignError about the
// definition that names some of them.
func (w *Owner) Unused(ctx context.Context, crd *unstructured.Unstructured) error {
	if w.ledger == nil {
		return nil
	}
	kind, err := defined(crd)
	if err != nil {
		return err
	}
	all, err := w.list(ctx, kind, "")
	if err != nil {
		return err
	}
	held, err := w.foreign(ctx, all, nil)
	if err != nil {
		return err
	}
	return w.holds(crd, held)
}

// defined returns the kind that a CustomResourceDefinition defines, in the
// version that is stored.
func defined(crd *unstructured.Unstructured) (schema.GroupVersionKind, error) {
	var definition struct {
		Spec struct {
			Group string `json:"group"`
			Names struct {
				Kind string `json:"kind"`
			} `json:"names"`
			Versions []struct {
				Name    string `json:"name"`
				Storage bool   `json:"storage"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(crd.Object, &definition); err != nil {
		return schema.GroupVersionKind{}, fmt.Errorf("reading the CustomResourceDefinition %s: %w", crd.GetName(), err)
	}
	for _, version := range definition.Spec.Versions {
		if version.Storage {
			return schema.GroupVersionKind{Group: definition.Spec.Group, Version: version.Name, Kind: definition.Spec.Names.Kind}, nil
		}
	}
	return schema.GroupVersionKind{}, fmt.Errorf("the CustomResourceDefinition %s stores no version", crd.GetName())
}

// list lists the objects of a kind in a namespace, or in all of them.
func (w *Owner) list(ctx context.Context, kind schema.GroupVersionKind, namespace string) ([]*metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	err := w.client.List(ctx, list, client.InNamespace(namespace))
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || apierrors.IsMethodNotSupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing each %s in the namespace %q: %w", kind.Kind, namespace, err)
	}
	var all []*metav1.PartialObjectMetadata
	for i := range list.Items {
		o := &list.Items[i]
		o.SetGroupVersionKind(kind)
		all = append(all, o)
	}
	return all, nil
}

// CanTell returns an error if the objects in a namespace cannot be listed.
func (w *Owner) CanTell() error {
	if w.ledger == nil {
		return nil
	}
	_, err := w.kinds()
	return err
}

// kinds lists the kinds of objects that a namespace can hold and that can be
// deleted. Others, such as a pod's metrics, have no owner.
func (w *Owner) kinds() ([]schema.GroupVersionKind, error) {
	config, err := clientcmd.BuildConfigFromFlags("", w.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	ask, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	resources, err := ask.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, fmt.Errorf("listing the kinds of objects of the cluster: %w; repair or remove that API (kubectl get apiservices), then run the same command again", err)
	}
	var kinds []schema.GroupVersionKind
	for _, list := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list", "delete"}}, resources) {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, each := range list.APIResources {
			kinds = append(kinds, version.WithKind(each.Kind))
		}
	}
	return kinds, nil
}
