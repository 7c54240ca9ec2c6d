package health

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestParseWait(t *testing.T) {
	for line, want := range map[string]string{
		"kubectl -n app wait deployment/app --timeout=9s --for=condition=Available": "app [deployment/app] condition=Available",
		"kubectl wait -napp deployment app --for jsonpath={.spec.replicas}=3":       "app [deployment/app] jsonpath={.spec.replicas}=3",
		"/x/kubectl -n f wait a/b c/d --for=delete":                                 "f [a/b c/d] delete",
		"kubectl -n app rollout status deployment/app --timeout=60s":                "app [deployment/app] rollout",
		"kubectl wait crd/a.b.c --for=create":                                       "default [crd/a.b.c] create",
		"kubectl -n app get pods":                                                   "",
		"kubectl -n app wait pods -l a=b --for=condition=Ready":                     "",
		"flux get all": "",
		"kubectl":      "",
	} {
		got := ""
		if w, err := parseWait(strings.Fields(line)); err == nil {
			got = fmt.Sprint(w.namespace, " ", w.objects, " ", w.want)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestUnmet(t *testing.T) {
	const commit, other = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
	behind := `{kind: Kustomization, status: {lastAppliedRevision: "main@sha1:` + commit + `", conditions: [{type: Ready, status: "False", message: it is bad}]}}`
	for _, tt := range []struct{ want, object, why string }{
		{"condition=Ready", `{status: {conditions: [{type: Ready, status: "True"}]}}`, ""},
		{"condition=Ready=false", `{status: {conditions: [{type: Ready, status: "True", message: "Applied\nit"}]}}`, "Ready is True, wanted false: Applied it"},
		{"condition=Ready", `{metadata: {generation: 2}, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True"}]}}`, "its last change is not reconciled yet"},
		{"condition=Ready", `{}`, "it has no condition Ready yet"},
		{"jsonpath={.spec.replicas}=3", `{spec: {replicas: 2}}`, "spec.replicas is 2, wanted 3"},
		{"jsonpath={.spec.replicas}=2", `{spec: {replicas: 2}}`, ""},
		{"jsonpath={.spec.suspend}=true", `{spec: {}}`, "spec.suspend is not set, wanted true"},
		{"jsonpath={.status.lastAppliedRevision}=main@sha1:" + other, behind, "status.lastAppliedRevision is main@sha1:01234567, wanted main@sha1:fedcba98; it says: it is bad"},
		{`jsonpath={.status.inventory.entries[?(@.id=="a")].v}=v1`, `{status: {inventory: {entries: [{id: a, v: v1}]}}}`, ""},
		{`jsonpath={.metadata.annotations.a\.b/c}=x`, `{metadata: {annotations: {a.b/c: z}}}`, `metadata.annotations.a.b/c is z, wanted x`},
		{"rollout", `{kind: Deployment, status: {availableReplicas: 1}}`, "0 of 1 pods are of the new version, 1 are available"},
		{"create", `{}`, ""},
	} {
		o := &unstructured.Unstructured{}
		raw, err := yaml.YAMLToJSON([]byte(tt.object))
		if err == nil {
			head := `{"apiVersion":"v1",`
			if !strings.Contains(tt.object, "kind:") {
				head += `"kind":"Thing",`
			}
			err = o.UnmarshalJSON([]byte(strings.Replace(strings.Replace(string(raw), "{", head, 1), ",}", "}", 1)))
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := (&waiting{want: tt.want}).unmet(o); got != tt.why {
			t.Errorf("%s of %s: %q, want %q", tt.want, tt.object, got, tt.why)
		}
	}
}
