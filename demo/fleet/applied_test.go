package fleet

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"
)

// commit is what the branch was moved to.
const commit = "1111111111111111111111111111111111111111"

// kustomization makes an object of Flux; more is YAML that is indented by two blanks for spec and status.
func kustomization(t *testing.T, name, more string) *unstructured.Unstructured {
	t.Helper()
	o := map[string]any{}
	text := fmt.Sprintf("apiVersion: %s\nkind: Kustomization\nmetadata:\n  name: %s\n  namespace: flux-system\n%s", kustomizev1.GroupVersion, name, more)
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	u := &unstructured.Unstructured{Object: o}
	if _, has, _ := unstructured.NestedMap(o, "spec", "sourceRef"); !has {
		_ = unstructured.SetNestedMap(o, map[string]any{"kind": "GitRepository", "name": "flux-system"}, "spec", "sourceRef")
	}
	return u
}

const (
	managedByUs = "  labels: {kustomize.toolkit.fluxcd.io/name: flux-system}\n"
	wellNow     = "status:\n  conditions: [{type: Ready, status: \"True\"}]\n"
)

// TestFollowers looks at which Kustomizations are asked and waited for, and which are named as not ready before.
func TestFollowers(t *testing.T) {
	for name, tt := range map[string]struct {
		more   string // of the Kustomization
		state  string // what States says; "-" if it does not know it
		before string // what it was before the step: "new" if it was not there, else why it was not ready
		waits  bool
	}{
		"well":                        {more: wellNow, waits: true},
		"in Flux's namespace by name": {more: "spec: {sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}}\n" + wellNow, waits: true},
		"of another kind of source":   {more: "spec: {sourceRef: {kind: OCIRepository, name: flux-system}}\n", state: "-"},
		"of another namespace":        {more: "spec: {sourceRef: {kind: GitRepository, name: flux-system, namespace: team-a}}\n", state: "-"},
		"of another source":           {more: "spec: {sourceRef: {kind: GitRepository, name: heavy}}\n", state: "-"},
		"suspended":                   {more: "spec: {suspend: true}\n", state: "-"},
		"a dependency is missing": {
			more:  "spec: {dependsOn: [{name: not-written-yet}]}\nstatus:\n  conditions: [{type: Ready, status: \"False\", message: \"dependency 'flux-system/not-written-yet'\\n not found\"}]\n",
			state: "dependency 'flux-system/not-written-yet' not found", before: "as it is",
		},
		"a dependency is missing since": {more: "spec: {dependsOn: [{name: not-written-yet}]}\n" + wellNow},
		"its path is missing":           {more: "status:\n  conditions: [{type: Ready, status: \"False\", message: path not found}]\n", state: "path not found", before: "as it is"},
		"its check fails again and again": {
			more:  "status:\n  conditions: [{type: Ready, status: Unknown, message: Reconciliation in progress}]\n  history: [{lastReconciledStatus: HealthCheckFailed}, {lastReconciledStatus: ReconciliationSucceeded}]\n",
			state: "HealthCheckFailed", before: "as it is",
		},
		"at work, and well the last time": {
			more: "status:\n  conditions: [{type: Ready, status: Unknown, message: Reconciliation in progress}]\n  history: [{lastReconciledStatus: ReconciliationSucceeded}]\n", waits: true,
		},
		"it is not reconciled yet":                        {state: "it has never been applied", before: "as it is"},
		"the step has broken it":                          {more: "status:\n  conditions: [{type: Ready, status: \"False\", message: broken}]\n", state: "broken", waits: true},
		"the step has brought it by Git":                  {more: managedByUs + wellNow, before: "new", waits: true},
		"it was created since":                            {more: wellNow, before: "new"},
		"an attendee's depends on one that was not ready": {more: managedByUs + "spec: {dependsOn: [{name: broken}]}\n" + wellNow},
	} {
		t.Run(name, func(t *testing.T) {
			o := kustomization(t, "it", tt.more)
			other := kustomization(t, "broken", "status:\n  conditions: [{type: Ready, status: \"False\", message: broken}]\n")
			f := Followers{Client: fakeCluster(nil, o, other), Namespace: "flux-system", Name: "flux-system"}
			states, err := f.States(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			why, known := states["kustomization/it"]
			if known != (tt.state != "-") || known && why != tt.state {
				t.Errorf("States says %q, %v, want %q", why, known, tt.state)
			}
			before := map[string]string{"kustomization/broken": "broken", "kustomization/it": ""}
			switch tt.before {
			case "as it is":
				before["kustomization/it"] = why
			case "new":
				delete(before, "kustomization/it")
			}
			all := []*unstructured.Unstructured{o, other}
			is := func(o *unstructured.Unstructured) bool { return o.GetName() == "it" }
			if got := slices.ContainsFunc(f.awaited(all, before), is); got != tt.waits {
				t.Errorf("waits for it: %v", got)
			}
			if got := slices.ContainsFunc(f.awaited(all, nil), is); got != (tt.state != "-") {
				t.Errorf("not knowing what was before, it waits for it: %v", got)
			}
			f.Ours = func(o *unstructured.Unstructured) bool { return o.GetName() != "it" }
			if got := slices.ContainsFunc(f.awaited(all, nil), is); got {
				t.Error("it waits for what is not the demo's")
			}
		})
	}
}

// fakeCluster is a cluster in which Flux answers at once: patched receives each object that is asked.
func fakeCluster(patched func(name string), objects ...client.Object) client.WithWatch {
	scheme := runtime.NewScheme()
	_ = kustomizev1.AddToScheme(scheme)
	_ = sourcev1.AddToScheme(scheme)
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			patched(o.GetName())
			if err := c.Patch(ctx, o, patch, opts...); err != nil {
				return err
			}
			u := o.(*unstructured.Unstructured)
			_ = unstructured.SetNestedField(u.Object, o.GetAnnotations()["reconcile.fluxcd.io/requestedAt"], "status", "lastHandledReconcileAt")
			_ = unstructured.SetNestedField(u.Object, "main@sha1:"+commit, "status", "lastAppliedRevision")
			_ = unstructured.SetNestedField(u.Object, "main@sha1:"+commit, "status", "artifact", "revision")
			return c.Update(ctx, u)
		},
	}).Build()
}

// TestApplied asks the source and those that can have the commit, and returns when they do; one that never will is no
// reason to wait.
func TestApplied(t *testing.T) {
	source := kustomization(t, "flux-system", "spec: {}\n")
	source.SetAPIVersion(sourcev1.GroupVersion.String())
	source.SetKind(sourcev1.GitRepositoryKind)
	var asked []string
	cluster := fakeCluster(func(name string) { asked = append(asked, name) },
		source, kustomization(t, "apps", wellNow), kustomization(t, "notes", "spec: {dependsOn: [{name: not-written-yet}]}\n"), kustomization(t, "theirs", wellNow))
	f := Followers{Client: cluster, Namespace: "flux-system", Name: "flux-system", Ours: func(o *unstructured.Unstructured) bool { return o.GetName() != "theirs" }}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := f.Applied(ctx, commit, map[string]string{"kustomization/apps": "", "kustomization/notes": "dependency not found"}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "flux-system apps" {
		t.Errorf("asked: %s", got)
	}
}
