package uninstall

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// guest is a cluster of others with nothing but a folder.
type guest struct {
	clusters.Guest
	dir string
}

func (g guest) Dir() string        { return g.dir }
func (g guest) Kubeconfig() string { return "" }

// thing makes an object with the demo's mark, or with that of the Kustomization that has applied it.
func thing(kind schema.GroupVersionKind, namespace, name, by string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	o.SetUID(types.UID(name))
	o.SetLabels(map[string]string{ownership.MarkLabel: ownership.MarkValue})
	if by != "" {
		o.SetLabels(map[string]string{"kustomize.toolkit.fluxcd.io/name": by, "kustomize.toolkit.fluxcd.io/namespace": "flux-system"})
	}
	return o
}

// applies makes a Kustomization with an inventory of things.
func applies(name, by string, prunes bool, things ...*unstructured.Unstructured) *unstructured.Unstructured {
	k := thing(ownership.KustomizationKind(), "flux-system", name, by)
	var entries []any
	for _, o := range things {
		gvk := o.GroupVersionKind()
		entries = append(entries, map[string]any{"id": strings.Join([]string{o.GetNamespace(), o.GetName(), gvk.Group, gvk.Kind}, "_"), "v": gvk.Version})
	}
	k.Object["spec"] = map[string]any{"prune": prunes}
	k.Object["status"] = map[string]any{"inventory": map[string]any{"entries": entries}}
	return k
}

// cluster returns a client for a cluster with these objects, and the owner of those of them that are recorded.
func cluster(t *testing.T, there, recorded []*unstructured.Unstructured, funcs interceptor.Funcs) (client.WithWatch, *ownership.Owner) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(funcs)
	for _, o := range there {
		builder = builder.WithObjects(o)
	}
	var ledger strings.Builder
	for _, o := range recorded {
		fmt.Fprintf(&ledger, `{"apiVersion":%q,"kind":%q,"namespace":%q,"name":%q,"uid":%q}`+"\n", o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName(), o.GetUID())
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ownership.InventoryFile), []byte(ledger.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := builder.Build()
	owner, err := ownership.New(c, guest{dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return c, owner
}

func kindOf(kind string) schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind(kind) }

func names(objects []*unstructured.Unstructured) string {
	var all []string
	for _, o := range objects {
		all = append(all, o.GetName())
	}
	return strings.Join(all, " ")
}

// TestFind looks for what the demo has made, and what its Kustomizations have, next to what is others'.
func TestFind(t *testing.T) {
	crd := schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
	first, second := thing(kindOf("Secret"), "fluxdemo", "first", ""), thing(kindOf("ConfigMap"), "fluxdemo", "second", "")
	namespace, definition := thing(kindOf("Namespace"), "", "fluxdemo", ""), thing(crd, "", "definition", "")
	app, stays := thing(kindOf("ConfigMap"), "app", "app", "apps"), thing(kindOf("ConfigMap"), "app", "stays", "apps")
	stays.SetAnnotations(map[string]string{pruneMark: disabled})
	kept := thing(kindOf("ConfigMap"), "app", "kept", "keeps")
	again := thing(kindOf("ConfigMap"), "fluxdemo", "again", "")
	was := again.DeepCopy()
	was.SetUID("another")
	apps, keeps := applies("apps", "root", true, app, stays), applies("keeps", "root", false, kept)
	root := applies("root", "", true, apps, keeps)
	gone := thing(kindOf("ConfigMap"), "fluxdemo", "gone", "")

	c, owner := cluster(t,
		[]*unstructured.Unstructured{first, second, namespace, definition, app, stays, kept, again, apps, keeps, root, thing(kindOf("ConfigMap"), "fluxdemo", "theirs", "")},
		[]*unstructured.Unstructured{definition, namespace, first, second, gone, was, root}, interceptor.Funcs{})
	r, err := find(t.Context(), c, owner)
	if err != nil {
		t.Fatal(err)
	}
	for what, each := range map[string]struct {
		got  []*unstructured.Unstructured
		want string
	}{
		"of Flux": {r.flux, "root apps keeps"}, "others, the last one first": {r.others, "app second first"},
		"definitions": {r.definitions, "definition"}, "namespaces": {r.namespaces, "fluxdemo"},
	} {
		if got := names(each.got); got != each.want {
			t.Errorf("%s: got %q, want %q", what, got, each.want)
		}
	}
	var left []string
	for _, l := range r.Left() {
		left = append(left, l.Name+": "+l.Why)
	}
	want := []string{
		"kept: its Kustomization does not prune", "stays: kustomize.toolkit.fluxcd.io/prune is disabled on it",
		"again: the demo's object was deleted, and this one was created later",
	}
	if !slices.Equal(left, want) {
		t.Errorf("left alone:\n%s\nwant\n%s", strings.Join(left, "\n"), strings.Join(want, "\n"))
	}
	if n := len(r.Objects()); n != 8 {
		t.Errorf("%d objects are listed", n)
	}
}

// TestRun removes what is the demo's: Kustomizations are suspended before anything goes, what they have applied is
// recorded before they go, and what others made stays.
func TestRun(t *testing.T) {
	app := thing(kindOf("ConfigMap"), "app", "app", "apps")
	apps := applies("apps", "", true, app)
	secret, theirs := thing(kindOf("Secret"), "app", "secret", ""), thing(kindOf("Secret"), "app", "theirs", "")
	var mu sync.Mutex // deletions run side by side
	var did []string
	does := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		did = append(did, what)
	}
	var owner *ownership.Owner
	c, owner := cluster(t, []*unstructured.Unstructured{apps, app, secret, theirs}, []*unstructured.Unstructured{secret, apps}, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
			raw, err := patch.Data(o)
			if err != nil {
				return err
			}
			does("patch " + o.GetName() + " " + string(raw))
			return c.Patch(ctx, o, patch, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			if o.GetName() == "apps" {
				recorded := false
				for _, each := range owner.Recorded() {
					recorded = recorded || each.Name == "app"
				}
				if !recorded {
					t.Error("what Flux has applied is not recorded when its Kustomization goes")
				}
			}
			does("delete " + o.GetName())
			return c.Delete(ctx, o)
		},
	})
	r, err := find(t.Context(), c, owner)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(did) != 4 || did[0] != `patch apps {"metadata":{"uid":"apps"},"spec":{"suspend":true}}` || did[1] != "delete apps" {
		t.Errorf("it did %q", did)
	}
	for _, o := range []*unstructured.Unstructured{apps, app, secret} {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o.DeepCopy()); !apierrors.IsNotFound(err) {
			t.Errorf("%s is still there: %v", o.GetName(), err)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs.DeepCopy()); err != nil {
		t.Errorf("what others made: %v", err)
	}
}

func TestKept(t *testing.T) {
	for name, c := range map[string]struct {
		annotations, labels map[string]string
		prunes              bool
		want                string
	}{
		"pruned":                {nil, nil, true, ""},
		"no pruning":            {nil, nil, false, "does not prune"},
		"an annotation":         {map[string]string{pruneMark: disabled}, nil, true, pruneMark + " is disabled"},
		"a label":               {nil, map[string]string{reconcileMark: disabled}, true, reconcileMark + " is disabled"},
		"one that is not a no":  {map[string]string{pruneMark: "enabled"}, nil, true, ""},
		"something else's mark": {map[string]string{"example.com/prune": disabled}, nil, true, ""},
	} {
		o := &unstructured.Unstructured{}
		o.SetAnnotations(c.annotations)
		o.SetLabels(c.labels)
		if got := kept(o, c.prunes); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
