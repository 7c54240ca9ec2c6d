// Package object reads objects of Kubernetes and Flux of any kind: it names and lists them, reads their state from their
// conditions, and waits until they have a state.
package object

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Named returns an object to wait for, with nothing but its name.
func Named(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

// Key identifies an object by its kind and group, namespace and name, for example "Deployment.apps app/app".
func Key(o *unstructured.Unstructured) string {
	return o.GroupVersionKind().GroupKind().String() + " " + o.GetNamespace() + "/" + o.GetName()
}

// Each calls do for every object of the kind in the namespaces. A kind that is not served has none.
func Each(ctx context.Context, c client.Client, kind schema.GroupVersionKind, namespaces []string, do func(*unstructured.Unstructured) error) error {
	for _, namespace := range namespaces {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
			return fmt.Errorf("listing each %s in the namespace %s: %w", kind.Kind, namespace, err)
		}
		for i := range list.Items {
			if err := do(&list.Items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// FluxKinds returns the kinds of Flux's own objects.
func FluxKinds(ctx context.Context, c client.Client) ([]schema.GroupVersionKind, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	if err := c.List(ctx, list, client.MatchingLabels{"app.kubernetes.io/part-of": "flux"}); err != nil {
		return nil, fmt.Errorf("listing Flux's CRDs: %w", err)
	}
	var kinds []schema.GroupVersionKind
	for _, crd := range list.Items {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		for _, v := range versions {
			if version, ok := v.(map[string]any); ok && version["storage"] == true {
				kinds = append(kinds, schema.GroupVersionKind{Group: group, Version: fmt.Sprint(version["name"]), Kind: kind})
			}
		}
	}
	return kinds, nil
}

// Workloads returns the Deployments among objects.
func Workloads(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "Deployment" {
			found = append(found, o)
		}
	}
	return found
}
