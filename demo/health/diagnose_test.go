package health

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestAtFault(t *testing.T) {
	tests := []struct{ name, object, want string }{
		{"ready", `{kind: Kustomization, status: {conditions: [{type: Ready, status: "True", message: fine}]}}`, ""},
		{"not ready", `{kind: Kustomization, status: {conditions: [{type: Ready, status: "False", message: it is bad}]}}`, "it is bad"},
		{"new", `{kind: GitRepository}`, "its controller has not reconciled it yet"},
		{"changed", `{kind: GitRepository, metadata: {generation: 2}, status: {observedGeneration: 1, conditions: [{type: Ready, status: "True", message: fine}]}}`,
			"its last change is not reconciled yet; before that: fine"},
		{"suspended", `{kind: GitRepository, spec: {suspend: true}, status: {conditions: [{type: Ready, status: "True"}]}}`, "it is suspended; `flux resume` resumes it"},
		{"deployment", `{kind: Deployment, spec: {replicas: 2}, status: {updatedReplicas: 2, availableReplicas: 2, conditions: [{type: Available, status: "True"}]}}`, ""},
		{"rolling out", `{kind: Deployment, status: {availableReplicas: 1}}`, "0 of 1 pods are of the new version, 1 are available"},
		{"none wanted", `{kind: Deployment, spec: {replicas: 0}, status: {conditions: [{type: Available, status: "True"}]}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := &unstructured.Unstructured{}
			raw, err := yaml.YAMLToJSON([]byte(tt.object))
			if err == nil {
				err = o.UnmarshalJSON([]byte(strings.Replace(string(raw), "{", `{"apiVersion":"v1",`, 1)))
			}
			if err != nil {
				t.Fatal(err)
			}
			message, fault := atFault(o)
			if fault != (tt.want != "") || fault && message != tt.want {
				t.Errorf("got %q, %v, want %q", message, fault, tt.want)
			}
		})
	}
}
