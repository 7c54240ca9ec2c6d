package programs_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/demo/programs"
)

// TestPorts holds each program to one flag for each port: two programs that
// listen on the same flag's default would be in each other's way.
func TestPorts(t *testing.T) {
	want := map[string]map[string]string{
		"ghcr.io/fluxdemo/fluxdemo":              {"http": "--addr"},
		"ghcr.io/fluxcd/source-controller":       {"http": "--storage-addr", "http-prom": "--metrics-addr", "healthz": "--health-addr"},
		"ghcr.io/fluxcd/kustomize-controller":    {"http-prom": "--metrics-addr", "healthz": "--health-addr"},
		"ghcr.io/fluxcd/helm-controller":         {"http-prom": "--metrics-addr", "healthz": "--health-addr"},
		"ghcr.io/fluxcd/notification-controller": {"http": "--events-addr", "http-webhook": "--receiverAddr", "http-prom": "--metrics-addr", "healthz": "--health-addr"},
	}
	all := programs.All(&bundle.Bundle{Dir: "/bundle"}, "/fluxdemo")
	if len(all) != len(want) {
		t.Errorf("%d programs, want %d", len(all), len(want))
	}
	for _, p := range all {
		for port, flag := range want[p.Repository] {
			if p.PortFlags[port] != flag {
				t.Errorf("%s: port %s moves by %q, want %q", p.Repository, port, p.PortFlags[port], flag)
			}
		}
		if len(p.PortFlags) != len(want[p.Repository]) {
			t.Errorf("%s: %v", p.Repository, p.PortFlags)
		}
	}
}

// TestBundle makes the images of the real bundle, if there is one: its
// programs have to be static.
func TestBundle(t *testing.T) {
	if testing.Short() {
		t.Skip("reads the whole bundle")
	}
	dir := os.Getenv(bundle.EnvVar)
	if dir == "" {
		dir = filepath.Join("..", "..", "build", "bundle")
	}
	b, err := bundle.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := programs.All(b, b.Path("flux")) // any static program will do for fluxdemo
	var references []string
	for _, p := range all {
		references = append(references, p.Repository+":test")
	}
	manifests, err := os.ReadFile(b.Path("flux.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		for _, tag := range p.Tags {
			if reference := "image: " + p.Repository + ":" + tag + "\n"; p.Repository != programs.Own && !strings.Contains(string(manifests), reference) {
				t.Errorf("Flux's manifests have no line %q", reference)
			}
		}
		if len(p.Tags) != 1 {
			t.Errorf("%s has the tags %q, want one", p.Repository, p.Tags)
		}
	}
	images, err := image.Build(references, all, runtime.GOARCH)
	if err != nil || len(images) != len(all) {
		t.Errorf("%d images of %d programs, %v", len(images), len(all), err)
	}
}
