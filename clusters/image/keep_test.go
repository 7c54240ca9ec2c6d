package image_test

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/fluxdemo/fluxdemo/clusters/image"
)

func TestKeep(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	reference := strings.TrimPrefix(server.URL, "http://") + "/fluxcd/source-controller:v1.9.3"
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	pushed, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, pushed); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "images")
	all := []string{reference, "registry.example/never:1"}
	if images, missing, err := image.Kept(dir, all); len(images) > 0 || !slices.Equal(missing, all) || err != nil {
		t.Fatalf("before: %v, %v, %v", images, missing, err)
	}
	for range 2 {
		if err := image.Keep(t.Context(), dir, reference, runtime.GOARCH); err != nil {
			t.Fatal(err)
		}
	}
	server.Close() // from here on there is no registry

	images, missing, err := image.Kept(dir, all)
	if err != nil || len(images) != 1 || !slices.Equal(missing, all[1:]) {
		t.Fatalf("%v, %v, %v", images, missing, err)
	}
	want, err := pushed.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := images[0].Digest(); err != nil || got != want || images[0].Name != reference {
		t.Errorf("%s with digest %s, want %s; %v", images[0].Name, got, want, err)
	}
	if err := images[0].Check(); err != nil {
		t.Error(err)
	}
	if err := images[0].Write(io.Discard); err != nil {
		t.Error(err)
	}
	layers, err := pushed.Layers()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := layers[1].Digest()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "blobs", "sha256", digest.Hex), []byte("cut"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := images[0].Check(); err == nil || !strings.Contains(err.Error(), "fluxdemo prefetch") {
		t.Errorf("a damaged image: %v", err)
	}
	if err := image.Keep(t.Context(), dir, reference, runtime.GOARCH); err == nil || !strings.Contains(err.Error(), reference) {
		t.Errorf("without a registry: %v", err)
	}
}
