package reset

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/ownership"
)

// alone is a cluster of the demo's own, of which nothing is asked.
type alone struct{ clusters.Cluster }

func (alone) Kubeconfig() string { return "" }

// kustomization makes one that is at a commit; more adds to it.
func kustomization(t *testing.T, name, commit, more string) *unstructured.Unstructured {
	t.Helper()
	const text = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: flux-system, uid: %[1]s-1, labels: {kustomize.toolkit.fluxcd.io/name: flux-system, kustomize.toolkit.fluxcd.io/namespace: flux-system}}
status: {lastAppliedRevision: "main@sha1:%s", lastAttemptedRevision: "main@sha1:%[2]s", %s}
`
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(fmt.Appendf(nil, text, name, commit, more), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestSettling looks at Kustomizations in many states, twice with some time between.
func TestSettling(t *testing.T) {
	const well, root = `conditions: [{type: Ready, status: "True"}]`, "aaaa"
	deleted := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		o.SetFinalizers([]string{"finalizers.fluxcd.io"})
		now := metav1.Now()
		o.SetDeletionTimestamp(&now)
		return o
	}
	made := func(name string) *unstructured.Unstructured { return kustomization(t, name, root, well) }
	for name, tt := range map[string]struct {
		there []*unstructured.Unstructured
		waits string // a part of it
		asked string // the Kustomization that is asked
	}{
		"as it should be":  {[]*unstructured.Unstructured{made("apps"), made("flux-system")}, "", ""},
		"Flux prunes it":   {[]*unstructured.Unstructured{made("apps"), made("flux-system"), made("greetings")}, "kustomization/greetings: Flux has not removed it yet", ""},
		"it is going":      {[]*unstructured.Unstructured{made("apps"), made("flux-system"), deleted(kustomization(t, "mine", "bbbb", well))}, "kustomization/mine: Flux has not removed it", ""},
		"it is missing":    {[]*unstructured.Unstructured{made("flux-system")}, "kustomization/apps: Flux has not created it yet", "flux-system"},
		"the first one is": {[]*unstructured.Unstructured{made("apps")}, "kustomization/flux-system: Flux has not created it yet", ""},
		"being deleted":    {[]*unstructured.Unstructured{deleted(made("apps")), made("flux-system")}, "kustomization/apps: it is being deleted", ""},
		"at another commit, and resting": {
			[]*unstructured.Unstructured{kustomization(t, "apps", "bbbb", well), made("flux-system")}, "kustomization/apps: it is at main@sha1:bbbb, and Git at aaaa", "apps",
		},
		"it failed, and rests": {
			[]*unstructured.Unstructured{kustomization(t, "apps", root, `conditions: [{type: Ready, status: "False", message: the namespace is being terminated}]`), made("flux-system")},
			"kustomization/apps: the namespace is being terminated", "apps",
		},
		"at work": {
			[]*unstructured.Unstructured{kustomization(t, "apps", "bbbb", `conditions: [{type: Ready, status: Unknown, message: in progress}, {type: Reconciling, status: "True", reason: Progressing}]`), made("flux-system")},
			"kustomization/apps: ", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var objects []runtime.Object
			for _, o := range tt.there {
				objects = append(objects, o)
			}
			c := fake.NewClientBuilder().WithRuntimeObjects(objects...).Build()
			owner, err := ownership.New(c, alone{})
			if err != nil {
				t.Fatal(err)
			}
			r := &resetter{client: c, owner: owner, root: root, names: []string{"apps", "flux-system"}, applied: map[string]bool{
				"Kustomization.kustomize.toolkit.fluxcd.io flux-system/greetings": true,
			}}
			s := &settling{resetter: r, rests: map[string]time.Time{}}
			for range 2 { // it rests only the second time
				waits, err := s.look(context.Background(), tt.there)
				if err != nil || !strings.HasPrefix(waits, tt.waits) || tt.waits == "" && waits != "" {
					t.Fatalf("it waits for %q, %v, want %q", waits, err, tt.waits)
				}
				for name := range s.rests {
					s.rests[name] = time.Now().Add(-idleTime)
				}
			}
			asked := ""
			for _, o := range tt.there {
				now := object.Named(kustomizations(), o.GetNamespace(), o.GetName())
				if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), now); err != nil {
					t.Fatal(err)
				}
				if object.Requested(now) != "" {
					asked += now.GetName()
				}
			}
			if asked != tt.asked {
				t.Errorf("asked %q, want %q", asked, tt.asked)
			}
		})
	}
}
