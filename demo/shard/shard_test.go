package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/meta"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// alone is a cluster that is the demo's.
type alone struct{ clusters.Cluster }

func (alone) Kubeconfig() string { return "" }

// deployment makes a controller of Flux, of a shard unless that is empty.
func deployment(name, shard string, available int32) *appsv1.Deployment {
	d := &appsv1.Deployment{}
	d.Namespace, d.Name, d.UID = demo.FluxNamespace, name, types.UID(name)
	d.Labels = map[string]string{"app.kubernetes.io/part-of": "flux"}
	if shard != "" {
		d.Labels[manifests.ShardLabel] = shard
	}
	d.Status.AvailableReplicas = available
	return d
}

// definition makes the CRD of a kind.
func definition(kind schema.GroupVersionKind) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"group": kind.Group, "names": map[string]any{"kind": kind.Kind},
		"versions": []any{map[string]any{"name": kind.Version, "storage": true}},
	}}}
	o.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	o.SetName(strings.ToLower(kind.Kind) + "s." + kind.Group)
	o.SetLabels(map[string]string{"app.kubernetes.io/part-of": "flux"})
	return o
}

// keyed makes an object of a kind, with the key of a shard unless that is empty.
func keyed(kind schema.GroupVersionKind, name, key string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetGroupVersionKind(kind)
	o.SetNamespace("team")
	o.SetName(name)
	o.SetUID(types.UID(name))
	if key != "" {
		o.SetLabels(map[string]string{Key: key, "other": "stays"})
	}
	return o
}

// newCluster returns a client for a cluster with two shards: one is up, the other has controllers that are not. "lost" is
// a key that no shard has. It calls patched for each patch.
func newCluster(t *testing.T, patched func(name, patch string)) (client.WithWatch, *ownership.Owner) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	kustomization := kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind)
	alert := schema.GroupVersionKind{Group: "notification.toolkit.fluxcd.io", Version: "v1beta3", Kind: "Alert"} // no shard looks after these
	service := &corev1.Service{}
	service.Namespace, service.Name, service.UID = demo.FluxNamespace, "source-controller-one", "service"
	service.Labels = map[string]string{manifests.ShardLabel: "one"}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		definition(kustomization), definition(alert), service,
		deployment("kustomize-controller", "", 1),
		deployment("kustomize-controller-one", "one", 1), deployment("source-controller-one", "one", 1),
		deployment("kustomize-controller-two", "two", 1), deployment("source-controller-two", "two", 0),
		keyed(kustomization, "b", ""), keyed(kustomization, "a", ""), keyed(kustomization, "c", "one"), keyed(kustomization, "d", "lost"), keyed(alert, "e", "one"),
	).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			raw, err := patch.Data(o)
			if err != nil {
				return err
			}
			patched(o.GetName(), string(raw))
			return c.Patch(ctx, o, patch, options...)
		},
	}).Build()
	owner, err := ownership.New(c, alone{})
	if err != nil {
		t.Fatal(err)
	}
	return c, owner
}

// describe writes shards down, a line each.
func describe(shards []Shard) string {
	var b strings.Builder
	for _, s := range shards {
		fmt.Fprintf(&b, "%s ready=%v controllers=%d %v\n", s.Name, s.Ready(), len(s.Controllers), s.Objects)
	}
	return b.String()
}

func TestList(t *testing.T) {
	c, _ := newCluster(t, nil)
	shards, err := List(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := `main ready=true controllers=1 [Kustomization/team/a Kustomization/team/b]
lost ready=false controllers=0 [Kustomization/team/d]
one ready=true controllers=2 [Kustomization/team/c]
two ready=false controllers=2 []
`
	if got := describe(shards); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestExists(t *testing.T) {
	c, _ := newCluster(t, nil)
	for name, there := range map[string]bool{Main: true, "one": true, "two": true, "lost": false, "three": false} {
		err := exists(t.Context(), c, name)
		if there != (err == nil) || !there && (!errors.Is(err, ErrNotFound) || !strings.HasSuffix(err.Error(), "valid values: main, one, two")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUndo gives back what the demo's shards look after, and leaves keys of others alone.
func TestUndo(t *testing.T) {
	var patches []string
	c, owner := newCluster(t, func(name, patch string) { patches = append(patches, name+" "+patch) })
	if err := Undo(t.Context(), c, owner); err != nil {
		t.Fatal(err)
	}
	if want := []string{`c {"metadata":{"labels":{"sharding.fluxcd.io/key":null},"uid":"c"}}`}; !slices.Equal(patches, want) {
		t.Errorf("patches: %q, want %q", patches, want)
	}
	shards, err := List(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	want := `main ready=true controllers=1 [Kustomization/team/a Kustomization/team/b Kustomization/team/c]
lost ready=false controllers=0 [Kustomization/team/d]
`
	if got := describe(shards); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	services := &corev1.ServiceList{}
	if err := c.List(t.Context(), services); err != nil || len(services.Items) > 0 {
		t.Errorf("%d Services are left, %v", len(services.Items), err)
	}
}

// TestLabel: an object is labelled and asked to reconcile in one write, so that its new controllers are asked.
func TestLabel(t *testing.T) {
	for name, test := range map[string]struct{ shard, token, want string }{
		"to a shard":     {"one", "now", `{"metadata":{"annotations":{"` + meta.ReconcileRequestAnnotation + `":"now"},"labels":{"sharding.fluxcd.io/key":"one"},"uid":"d"}}`},
		"to the main":    {Main, "now", `{"metadata":{"annotations":{"` + meta.ReconcileRequestAnnotation + `":"now"},"labels":{"sharding.fluxcd.io/key":null},"uid":"d"}}`},
		"without asking": {Main, "", `{"metadata":{"labels":{"sharding.fluxcd.io/key":null},"uid":"d"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			var patches []string
			_, owner := newCluster(t, func(_, patch string) { patches = append(patches, patch) })
			o := keyed(kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind), "d", "lost")
			if err := label(t.Context(), owner, o, test.shard, test.token); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(patches, []string{test.want}) {
				t.Errorf("patches: %q, want %s", patches, test.want)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	for name, good := range map[string]bool{
		"shard1": true, "a": true, "a-b": true, strings.Repeat("a", 20): true,
		"": false, Main: false, strings.Repeat("a", 21): false, "A": false, "a.b": false, "-a": false, "a-": false, "a b": false,
	} {
		if err := CheckName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
