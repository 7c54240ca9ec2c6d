package health

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fluxdemo/fluxdemo/clusters"
)

func TestDescribe(t *testing.T) {
	tests := map[string]struct {
		yaml string
		want Object
	}{
		"a Kustomization that failed keeps the revision that it applied last": {`
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
status:
  lastAppliedRevision: main@sha1:1
  lastAttemptedRevision: main@sha1:2
  conditions:
  - {type: Reconciling, status: "False"}
  - {type: Ready, status: "False", message: no such field}
`, Object{Kind: "Kustomization", Namespace: "flux-system", Name: "apps", Ready: "False", Revision: "main@sha1:1", Message: "no such field", Brief: "no such field"}},
		"a GitRepository has its artifact's revision": {`
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {suspend: true}
status:
  artifact: {revision: main@sha1:3}
  conditions: [{type: Ready, status: "True", message: stored}]
`, Object{Kind: "GitRepository", Namespace: "flux-system", Name: "fleet", Ready: "True", Suspended: true, Revision: "main@sha1:3", Message: "stored"}},
		"it is not reconciled yet": {`
kind: Receiver
metadata: {name: r, namespace: flux-system}
`, Object{Kind: "Receiver", Namespace: "flux-system", Name: "r", Ready: "Unknown"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(test.yaml), &u.Object); err != nil {
				t.Fatal(err)
			}
			if got := describe(u); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestHealthy(t *testing.T) {
	running := clusters.Status{Running: true, Components: []clusters.Component{{State: "Running"}, {State: "Simulated"}}}
	ready := []Object{{Ready: "True"}, {Ready: "False", Suspended: true}}
	tests := map[string]struct {
		demo Status
		want bool
	}{
		"all is well":             {Status{Cluster: running, Objects: ready}, true},
		"stopped":                 {Status{Objects: ready}, false},
		"a component restarts":    {Status{Cluster: clusters.Status{Running: true, Components: []clusters.Component{{State: "Restarting"}}}, Objects: ready}, false},
		"an object is not ready":  {Status{Cluster: running, Objects: []Object{{Ready: "Unknown"}}}, false},
		"no Flux":                 {Status{Cluster: running}, false},
		"the API does not answer": {Status{Cluster: running, Objects: ready, Problem: "connection refused"}, false},
	}
	for name, test := range tests {
		if got := test.demo.Healthy(); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
