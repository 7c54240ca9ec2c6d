package manifests

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// aController is enough of what `flux install --export` prints for the overlays to work on.
const aController = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  namespace: flux-system
  labels:
    app.kubernetes.io/part-of: flux
spec:
  selector:
    matchLabels:
      app: NAME
  template:
    metadata:
      labels:
        app: NAME
    spec:
      containers:
        - name: manager
          args: [--log-level=info]
          env: []
          resources:
            limits:
              memory: 1Gi
          readinessProbe:
            httpGet:
              path: /readyz
---
`

// TestScale: each setting stands once, where it belongs, for the main controllers as for those of a shard.
func TestScale(t *testing.T) {
	var install strings.Builder
	for _, name := range []string{"source-controller", "kustomize-controller", "helm-controller", "notification-controller"} {
		install.WriteString(strings.ReplaceAll(aController, "NAME", name))
	}
	install.WriteString("apiVersion: v1\nkind: Service\nmetadata:\n  name: source-controller\n  namespace: flux-system\nspec:\n  selector:\n    app: source-controller\n")
	render := map[string]func(Size) ([]*unstructured.Unstructured, error){
		"": func(size Size) ([]*unstructured.Unstructured, error) { return Flux([]byte(install.String()), size) },
		"-one": func(size Size) ([]*unstructured.Unstructured, error) {
			return Shard([]byte(install.String()), "one", size)
		},
	}
	for suffix, objects := range render {
		for size, want := range map[Size]map[string]string{
			ForDemo:  {"source-controller": "0 none 1Gi", "kustomize-controller": "0 200 1Gi"},
			ForScale: {"source-controller": "1 none 1Gi", "kustomize-controller": "1 400 1500Mi", "notification-controller": "0 none 1Gi"},
		} {
			all, err := objects(size)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range all {
				name := strings.TrimSuffix(o.GetName(), suffix)
				if o.GetKind() != "Deployment" || want[name] == "" {
					continue
				}
				containers, _, err := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
				if err != nil || len(containers) != 1 {
					t.Fatalf("%s: %v, %d containers", o.GetName(), err, len(containers))
				}
				container := containers[0].(map[string]any)
				concurrent := 0
				for _, arg := range container["args"].([]any) {
					if strings.HasPrefix(arg.(string), "--concurrent=") {
						concurrent++
					}
				}
				gogc := "none"
				for _, each := range container["env"].([]any) {
					if variable := each.(map[string]any); variable["name"] == "GOGC" {
						gogc = variable["value"].(string)
					}
				}
				memory, _, err := unstructured.NestedString(container, "resources", "limits", "memory")
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(concurrent, " ", gogc, " ", memory); got != want[name] {
					t.Errorf("%s at size %q: %s, want %s", o.GetName(), size, got, want[name])
				}
			}
		}
	}
}
