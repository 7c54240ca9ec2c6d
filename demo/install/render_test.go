package install

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// TestAt lets services answer to the name of the API server, and leaves what was rendered as it is.
func TestAt(t *testing.T) {
	services, err := manifests.Services()
	if err != nil {
		t.Fatal(err)
	}
	last := func(r Rendered) (args []string) {
		for _, o := range object.Workloads(r.services) {
			containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
			all, _, _ := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
			args = append(args, all[len(all)-1])
		}
		return args
	}
	rendered := Rendered{services: services}
	before := last(rendered)
	for server, want := range map[string]string{
		"https://api.example.com:6443": "--host=api.example.com", "https://127.0.0.1:6443": "", "https://[::1]": "", "https://localhost:1": "", "": "",
	} {
		for i, got := range last(rendered.At(server)) {
			if want == "" && got != before[i] || want != "" && got != want {
				t.Errorf("%q: %s", server, got)
			}
		}
	}
	if now := last(rendered); now[0] != before[0] || len(before) != 2 {
		t.Errorf("%v became %v", before, now)
	}
}
