// Package hack_test checks what no compiler does: that the Go modules of this
// repository agree on versions, and that no file or package grows too large.
package hack_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

// requirements returns the version of each module that the go.mod in dir
// builds with.
func requirements(t *testing.T, dir string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = dir
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("reading go.mod in %s: %v", dir, err)
	}
	var mod struct {
		Go      string
		Require []struct{ Path, Version string }
		Replace []struct {
			Old struct{ Path string }
			New struct{ Version string }
		}
	}
	if err := json.Unmarshal(raw, &mod); err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{"go": mod.Go}
	for _, r := range mod.Require {
		versions[r.Path] = r.Version
	}
	for _, r := range mod.Replace {
		if _, required := versions[r.Old.Path]; required {
			versions[r.Old.Path] = r.New.Version
		}
	}
	return versions
}

// TestModulesAgree keeps the root module and hack/bundle on the same versions
// of everything that both use: one build cache serves both then, and what
// talks to Flux speaks the API of the Flux that runs.
func TestModulesAgree(t *testing.T) {
	root, bundle := requirements(t, ".."), requirements(t, "bundle")
	shared := 0
	for path, version := range root {
		other, both := bundle[path]
		if !both {
			continue
		}
		shared++
		if version != other {
			t.Errorf("%s is %s in go.mod and %s in hack/bundle/go.mod; `go get %s@VERSION` in the older one", path, version, other, path)
		}
	}
	for _, path := range []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/fluxcd/kustomize-controller/api"} {
		if root[path] == "" || bundle[path] == "" {
			t.Errorf("%s should be in both modules", path)
		}
	}
	if shared < 50 {
		t.Errorf("only %d modules are shared; is this reading the right files?", shared)
	}
}

// TestDependenciesNamed keeps docs/DEPENDENCIES.md complete: the last part of each module's path is a word in its table.
func TestDependenciesNamed(t *testing.T) {
	page, err := os.ReadFile("../docs/DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatalf("listing the modules: %v", err)
	}
	direct := strings.Fields(string(raw))
	if len(direct) < 10 {
		t.Fatalf("only %v: the test does not see what it should", direct)
	}
	major := regexp.MustCompile(`^v[0-9]+$`)
	for _, module := range direct {
		of := strings.Split(module, "/")
		for major.MatchString(of[len(of)-1]) {
			of = of[:len(of)-1]
		}
		name := path.Base(strings.Join(of, "/"))
		if strings.HasPrefix(module, "github.com/fluxcd/") || strings.HasPrefix(module, "github.com/charmbracelet/x/") {
			name = strings.Join(of[:3], "/") // the page names them together
			if strings.HasSuffix(module, "/api") || strings.HasSuffix(module, "/meta") {
				name = "github.com/fluxcd/*/api"
			}
		}
		if !regexp.MustCompile(`(?m)^\|.*\b` + regexp.QuoteMeta(strings.TrimPrefix(name, "github.com/"))).Match(page) {
			t.Errorf("docs/DEPENDENCIES.md does not name %s and say why it was chosen", module)
		}
	}
}
