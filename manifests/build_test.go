package manifests_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

func build(t *testing.T, dir string) resmap.ResMap {
	t.Helper()
	res, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return res
}

// TestEveryFolderBuilds: what `kubectl kustomize` makes of each folder is complete and may run anywhere.
func TestEveryFolderBuilds(t *testing.T) {
	for _, root := range []string{"services", "fleet"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "kustomization.yaml" {
				return err
			}
			res := build(t, filepath.Dir(path))
			if res.Size() == 0 {
				t.Errorf("%s builds nothing", path)
			}
			for _, r := range res.Resources() {
				if r.GetKind() == "Deployment" {
					checkDeployment(t, r.MustYaml())
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

type deployment struct {
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		Template struct {
			Spec struct {
				SecurityContext struct {
					RunAsNonRoot   bool
					SeccompProfile struct{ Type string }
				}
				Containers []struct {
					Image, ImagePullPolicy        string
					ReadinessProbe, LivenessProbe map[string]any
					Ports                         []struct{ Name string }
					SecurityContext               struct {
						AllowPrivilegeEscalation *bool
						Capabilities             struct{ Drop []string }
					}
				}
			}
		}
	}
}

func checkDeployment(t *testing.T, text string) {
	t.Helper()
	var d deployment
	if err := yaml.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	pod := d.Spec.Template.Spec
	if pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" || pod.SecurityContext.RunAsNonRoot == (d.Metadata.Name == "git") {
		t.Errorf("%s: security context %+v", d.Metadata.Name, pod.SecurityContext)
	}
	for _, c := range pod.Containers {
		sc := c.SecurityContext
		if sc.AllowPrivilegeEscalation == nil || *sc.AllowPrivilegeEscalation || len(sc.Capabilities.Drop) != 1 || sc.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s: container security context %+v", d.Metadata.Name, sc)
		}
		if c.ReadinessProbe == nil || c.LivenessProbe == nil || c.ImagePullPolicy != "IfNotPresent" || c.Ports[0].Name != "http" ||
			!strings.HasPrefix(c.Image, "ghcr.io/fluxdemo/fluxdemo:") {
			t.Errorf("%s: container %+v", d.Metadata.Name, c)
		}
	}
}

// TestClusterPaths: each Flux Kustomization points to a folder that is there, builds, and waits for no other.
func TestClusterPaths(t *testing.T) {
	for _, name := range []string{"apps"} {
		raw, err := os.ReadFile("fleet/clusters/demo/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var k struct {
			Metadata struct{ Name, Namespace string }
			Spec     struct {
				Path      string
				Wait      bool
				Prune     bool
				DependsOn []any
				SourceRef struct{ Kind, Name string }
			}
		}
		if err := yaml.UnmarshalStrict(raw, &map[string]any{}); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(raw, &k); err != nil {
			t.Fatal(err)
		}
		if k.Metadata.Name != name || k.Metadata.Namespace != "flux-system" || k.Spec.Wait || !k.Spec.Prune || len(k.Spec.DependsOn) > 0 ||
			k.Spec.SourceRef.Kind+"/"+k.Spec.SourceRef.Name != "GitRepository/flux-system" {
			t.Errorf("%s: %+v", name, k)
		}
		build(t, filepath.Join("fleet", k.Spec.Path))
	}
}

// TestAppSettings: what app.env says is what the app's pods get, under a name that changes with it.
func TestAppSettings(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("fleet")); err != nil {
		t.Fatal(err)
	}
	configMap := func() (name, data string) {
		for _, r := range build(t, filepath.Join(dir, "apps/demo")).Resources() {
			if r.GetKind() == "ConfigMap" {
				return r.GetName(), r.MustYaml()
			}
		}
		t.Fatal("no ConfigMap")
		return
	}
	before, _ := configMap()
	env := filepath.Join(dir, "apps/demo/app/app.env")
	raw, err := os.ReadFile(env)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(env, []byte(strings.Replace(string(raw), "COLOR=steelblue", "COLOR=tomato", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	after, data := configMap()
	if before == after || !strings.Contains(data, "COLOR: tomato") || !strings.Contains(data, "MESSAGE:") || !strings.Contains(data, "VERSION:") {
		t.Errorf("%s became %s:\n%s", before, after, data)
	}
}
