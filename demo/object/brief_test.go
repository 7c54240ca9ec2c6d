package object

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestBriefBuild has kustomize fail to build, and makes its errors brief.
func TestBriefBuild(t *testing.T) {
	const app = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string // in this order
	}{
		"no name": {map[string]string{"demo/kustomization.yaml": "resources: [../base]", "base/kustomization.yaml": "resources: [app.yaml]", "base/app.yaml": "kind: ConfigMap\napiVersion: v1\n"},
			[]string{"base/app.yaml: ", "missing metadata.name"}},
		"a file that is not there": {map[string]string{"demo/kustomization.yaml": "resources: [../base]", "base/kustomization.yaml": "resources: [gone.yaml]"},
			[]string{"base/gone.yaml: ", "no such file or directory"}},
		"not YAML": {map[string]string{"demo/kustomization.yaml": "resources: [../base]", "base/kustomization.yaml": "resources: [app.yaml]", "base/app.yaml": "a: b: c\n"},
			[]string{"base/app.yaml: ", "mapping values are not allowed"}},
		"an unknown field": {map[string]string{"demo/kustomization.yaml": "resources: [../base]", "base/kustomization.yaml": "resource: [app.yaml]"},
			[]string{"base: ", "unknown field"}},
		"two levels": {map[string]string{"demo/kustomization.yaml": "resources: [team]", "demo/team/kustomization.yaml": "resources: [../../base]", "base/kustomization.yaml": "resources: [app.yaml, app.yaml]", "base/app.yaml": app},
			[]string{"base", "app"}},
		"at the top": {map[string]string{"demo/kustomization.yaml": "resources: [gone.yaml]"},
			[]string{"gone.yaml: ", "no such file or directory"}},
		"a patch": {map[string]string{"demo/kustomization.yaml": "resources: [app.yaml]\npatches: [{target: {kind: ConfigMap}, patch: '[{op: remove, path: /data/gone}]'}]", "demo/app.yaml": app},
			[]string{"remove", "/data/gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), strings.Repeat("a-long-path/", 12), "kustomization-1234567")
			for file, text := range tt.files {
				file = filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "demo"))
			if err == nil {
				t.Fatal("it builds: nothing would be tested")
			}
			got := Brief("kustomize build failed: " + err.Error())
			rest := got
			for _, want := range append(tt.want, " (kustomize build failed)") {
				_, after, is := strings.Cut(rest, want)
				if !is {
					t.Errorf("no %q in its place in\n%s\nwhich was\n%v", want, got, err)
				}
				rest = after
			}
			if strings.Contains(got, "a-long-path") || strings.Contains(got, "1234567") || strings.Contains(got, "accumul") || len([]rune(got)) > 330 {
				t.Errorf("not brief:\n%s\nwhich was\n%v", got, err)
			}
		})
	}
}

func TestBrief(t *testing.T) {
	long := "it failed\n" + strings.Repeat("and so on ", 100) + "because of that"
	got := Brief(long)
	if !strings.HasPrefix(got, "it failed and") || !strings.HasSuffix(got, "because of that") || len(got) > 320 || strings.Contains(got, "\n") {
		t.Errorf("got %q", got)
	}
	for message, want := range map[string]string{
		"":             "",
		"Applied\n it": "Applied it",
		"kustomization path not found: stat /tmp/a/kustomization-31/nowhere: no such file or directory": "kustomization path not found: stat nowhere: no such file or directory",
		"kustomization/flux-system-2 is not ready":                                                      "kustomization/flux-system-2 is not ready",
	} {
		if got := Brief(message); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}
