package reset

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/strays"
)

func TestSorted(t *testing.T) {
	object := func(kind schema.GroupVersionKind, namespace, name string, labels map[string]string) *strays.Object {
		o := &strays.Object{}
		o.SetGroupVersionKind(kind)
		o.Namespace, o.Name, o.Labels = namespace, name, labels
		return o
	}
	namespace, config := schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	flux := schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}
	ofWalk := map[string]string{demo.WalkLabel: "drift"}
	remove, keep := sorted([]*strays.Object{
		object(namespace, "", "mine", nil), object(config, "mine", "one", nil), object(config, "mine", "two", nil), object(config, "mine", "of-a-walk", ofWalk),
		object(namespace, "", "empty", nil),
		object(namespace, "", "team", ofWalk), object(config, "team", "inside", nil),
		object(config, "default", "notes", nil), object(config, "default", "of-a-walk", ofWalk),
		object(config, "app", "guest", nil), object(flux, "playground", "guest", nil),
		object(flux, "flux-system", "guest", nil), object(config, "flux-system", "notes", nil), object(config, "fluxdemo", "notes", nil),
	})
	var removed, kept []string
	for _, o := range remove {
		removed = append(removed, o.Namespace+"/"+o.Name)
	}
	for _, k := range keep {
		kept = append(kept, k.name.String()+": "+k.why)
	}
	if want := []string{"/team", "default/of-a-walk", "app/guest", "playground/guest"}; !slices.Equal(removed, want) {
		t.Errorf("removed %q, want %q", removed, want)
	}
	const no = "fluxdemo did not create it"
	if want := []string{
		"namespace/mine: " + no + "; it holds 3 objects", "namespace/empty: " + no, "default configmap/notes: " + no,
		"flux-system configmap/notes: " + no, "fluxdemo configmap/notes: " + no,
	}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
}

func TestForeign(t *testing.T) {
	for finalizer, want := range map[string]bool{
		"kubernetes": false, "kubernetes.io/pvc-protection": false, "foregroundDeletion": false, "finalizers.fluxcd.io": false,
		"batch.kubernetes.io/job-tracking": false, "service.kubernetes.io/load-balancer-cleanup": false, "example.org/stuck": true,
	} {
		if foreign(finalizer) != want {
			t.Errorf("%s: %v", finalizer, !want)
		}
	}
}
