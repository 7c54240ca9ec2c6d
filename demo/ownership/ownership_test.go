package ownership

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxcd/pkg/ssa"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// guest is a cluster of others with nothing but a folder.
type guest struct {
	clusters.Guest
	dir string
}

func (g guest) Dir() string        { return g.dir }
func (g guest) Kubeconfig() string { return "" }

// alone is a cluster that is the demo's.
type alone struct{ clusters.Cluster }

func (alone) Kubeconfig() string { return "" }

func kustomization(name, uid string, labels map[string]string, applied ...string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(KustomizationKind())
	o.SetNamespace("flux-system")
	o.SetName(name)
	o.SetUID(types.UID(uid))
	var entries []any
	for _, id := range applied {
		entries = append(entries, map[string]any{"id": id, "v": "v1"})
	}
	o.SetLabels(labels)
	if err := unstructured.SetNestedSlice(o.Object, entries, "status", "inventory", "entries"); err != nil {
		panic(err) // the fields are constants
	}
	return o
}

func configMap(uid string, labels map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "app", Name: "x", UID: types.UID(uid), Labels: labels},
	}
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	scheme.AddKnownTypeWithName(KustomizationKind(), &unstructured.Unstructured{})
	return scheme
}

func fluxLabels(by string) map[string]string {
	return map[string]string{fluxName: by, fluxNamespace: "flux-system"}
}

func TestCheck(t *testing.T) {
	mark := map[string]string{MarkLabel: MarkValue}
	const x = `{"apiVersion":"v1","kind":"ConfigMap","namespace":"app","name":"x"`
	root := `{"apiVersion":"kustomize.toolkit.fluxcd.io/v1","kind":"Kustomization","namespace":"flux-system","name":"flux-system","uid":"root"}` + "\n"
	namespace := &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: "app", UID: "1", Labels: fluxLabels("apps")},
	}
	copied := configMap("1", fluxLabels("apps"))
	copied.Name = "copy"
	for _, test := range []struct {
		name   string
		ledger string
		object client.Object
		why    string // "" if it is ours
	}{
		{"recorded", x + `,"uid":"1"}` + "\n", configMap("1", mark), ""},
		{"recorded in another version", strings.Replace(x, `"v1"`, `"v2"`, 1) + `,"uid":"1"}` + "\n", configMap("1", mark), ""},
		{"made again with the mark", x + `,"uid":"1"}` + "\n", configMap("2", mark), "was deleted, and this one was created later"},
		{"its mark is gone", x + `,"uid":"1"}` + "\n", configMap("1", nil), "its mark is gone"},
		{"not recorded, with the mark", "", configMap("1", mark), "did not create it"},
		{"a crash after it was made", x + `,"intent":true}` + "\n", configMap("1", mark), ""},
		{"a crash before it was made", x + `,"intent":true}` + "\n", configMap("1", nil), "not the demo's mark"},
		{"a crash before it was made, and another Flux", x + `,"intent":true}` + "\n", configMap("1", fluxLabels("theirs")), "not the demo's mark"},
		{"an earlier version's record", x + "}\n", configMap("1", map[string]string{managedBy: MarkValue}), ""},
		{"an earlier version's record, marked by Flux", x + "}\n", configMap("1", fluxLabels("flux-system")), ""},
		{"an earlier version's record, no mark", x + "}\n", configMap("1", nil), "not the demo's mark"},
		{"the last record counts", x + `,"uid":"1"}` + "\n" + x + `,"intent":true}` + "\n" + x + `,"uid":"2"}` + "\n", configMap("2", mark), ""},
		{"applied by the demo's Kustomization", root, configMap("1", fluxLabels("flux-system")), ""},
		{"applied by a Kustomization that the demo's has applied", root, configMap("1", fluxLabels("apps")), ""},
		{"a copy with the label of a Kustomization that did not apply it", root, copied, "did not create it"},
		{"applied by a Kustomization of others", root, configMap("1", fluxLabels("theirs")), "did not create it"},
		{"applied by a Kustomization that is gone", root, configMap("1", fluxLabels("gone")), "did not create it"},
		{"made again, and applied by the demo's", root + x + `,"uid":"1"}` + "\n", configMap("2", fluxLabels("apps")), ""},
		{"a namespace that Flux has taken over", root, namespace, "did not create it"},
		{"a namespace that was made again, and Flux has taken over", root + `{"apiVersion":"v1","kind":"Namespace","name":"app","uid":"0"}` + "\n", namespace, "created later"},
		{"a recorded namespace", root + `{"apiVersion":"v1","kind":"Namespace","name":"app","uid":"1"}` + "\n", namespace, ""},
		{"a Kustomization that says of itself that it is", "", kustomization("self", "1", fluxLabels("self")), "did not create it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, InventoryFile), []byte(test.ledger), 0o600); err != nil {
				t.Fatal(err)
			}
			c := fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(
				kustomization("flux-system", "root", fluxLabels("flux-system"), "app_x__ConfigMap", "flux-system_apps_kustomize.toolkit.fluxcd.io_Kustomization"),
				kustomization("apps", "apps", fluxLabels("flux-system"), "app_x__ConfigMap", "_app__Namespace"),
				kustomization("theirs", "theirs", nil, "app_x__ConfigMap"), kustomization("self", "1", fluxLabels("self"), "app_x__ConfigMap"),
			).Build()
			w, err := New(c, guest{dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			err = w.Check(t.Context(), test.object)
			if test.why == "" && err != nil || test.why != "" && (!isForeign(err) || !strings.Contains(err.Error(), test.why)) {
				t.Errorf("got %v, want %q", err, test.why)
			}
			w, err = New(c, alone{})
			if err == nil {
				err = w.Check(t.Context(), test.object)
			}
			if err != nil {
				t.Errorf("on a cluster of its own: %v", err)
			}
		})
	}
}

// TestCreateCrashes cuts the making of an object off at each point, and looks
// what the next process thinks of what is there.
func TestCreateCrashes(t *testing.T) {
	crash := errors.New("the power is off")
	for _, test := range []struct {
		name string
		make func(ctx context.Context, c client.WithWatch, o client.Object) error
		ours bool // what is there then
	}{
		{"before it is made, and others make it", func(ctx context.Context, c client.WithWatch, o client.Object) error {
			if err := c.Create(ctx, configMap("", nil)); err != nil {
				return err
			}
			return crash
		}, false},
		{"after it is made", func(ctx context.Context, c client.WithWatch, o client.Object) error {
			return errors.Join(c.Create(ctx, o), crash)
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			c := fake.NewClientBuilder().WithScheme(newScheme(t)).WithInterceptorFuncs(interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, _ ...client.CreateOption) error {
					return test.make(ctx, c, o)
				},
			}).Build()
			w, err := New(c, guest{dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Create(t.Context(), configMap("", nil)); !errors.Is(err, crash) {
				t.Fatal(err)
			}
			if w, err = New(c, guest{dir: dir}); err != nil {
				t.Fatal(err)
			}
			there := &corev1.ConfigMap{}
			if err := c.Get(t.Context(), client.ObjectKey{Namespace: "app", Name: "x"}, there); err != nil {
				t.Fatal(err)
			}
			if err := w.Check(t.Context(), there); test.ours != (err == nil) {
				t.Errorf("ours: %t, and Check says %v", test.ours, err)
			}
			if names := w.Recorded(); len(names) != 1 {
				t.Errorf("recorded: %v", names)
			}
		})
	}
}

// TestChangesOnlyWhatWasRead has others make an object again between the
// moment when it is read and the change. The API server knows that by the UID.
func TestChangesOnlyWhatWasRead(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, "x", errors.New("the UID differs"))
	var patched []string
	c := fake.NewClientBuilder().WithScheme(newScheme(t)).WithInterceptorFuncs(interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			var all client.DeleteOptions
			all.ApplyOptions(options)
			if all.Preconditions == nil || all.Preconditions.UID == nil || *all.Preconditions.UID != "mine" {
				t.Errorf("preconditions: %v", all.Preconditions)
			}
			return conflict
		},
		Patch: func(_ context.Context, _ client.WithWatch, o client.Object, patch client.Patch, _ ...client.PatchOption) error {
			raw, err := patch.Data(o)
			patched = append(patched, string(raw))
			return err
		},
	}).Build()
	w, err := New(c, guest{dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	o := configMap("mine", map[string]string{MarkLabel: MarkValue})
	if err := w.ledger.created(Object{"v1", "ConfigMap", "app", "x"}, "mine"); err != nil {
		t.Fatal(err)
	}
	if err := w.Delete(t.Context(), o, metav1.DeletePropagationBackground); !isForeign(err) {
		t.Errorf("Delete of what was made again: %v", err)
	}
	if err := w.Patch(t.Context(), o, map[string]any{"data": map[string]any{"a": nil}}); err != nil {
		t.Error(err)
	}
	if err := w.PatchJSON(t.Context(), o, []ssa.JSONPatch{{Operation: "remove", Path: "/data/a"}}); err != nil {
		t.Error(err)
	}
	want := []string{`{"data":{"a":null},"metadata":{"uid":"mine"}}`, `[{"op":"test","path":"/metadata/uid","value":"mine"},{"op":"remove","path":"/data/a"}]`}
	if !slices.Equal(patched, want) {
		t.Errorf("patches: %q, want %q", patched, want)
	}
	stranger := configMap("theirs", nil)
	if err := errors.Join(w.Patch(t.Context(), stranger, map[string]any{}), w.Delete(t.Context(), stranger, metav1.DeletePropagationBackground)); !isForeign(err) || len(patched) > 2 {
		t.Errorf("what others made: %v", err)
	}
}

func TestDamagedRecord(t *testing.T) {
	dir := t.TempDir()
	whole := `{"apiVersion":"v1","kind":"ConfigMap","namespace":"app","name":"a","uid":"1"}`
	text := whole + "\n" + `{"apiVersion":"v1","kind":"Conf` + strings.Replace(whole, `"a"`, `"b"`, 1) + "\nnonsense\n" + strings.Replace(whole, `"a"`, `"c"`, 1) + "\n" + `{"torn`
	if err := os.WriteFile(filepath.Join(dir, InventoryFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := New(fake.NewClientBuilder().Build(), guest{dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range w.Recorded() {
		names = append(names, o.Name)
	}
	if got := strings.Join(names, ","); got != "a,b,c" {
		t.Errorf("it has read %s", got)
	}
	if lines := w.Damaged(); len(lines) != 1 || lines[0] != 3 {
		t.Errorf("damaged lines: %v", lines)
	}
}
