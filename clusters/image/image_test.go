package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/fluxdemo/fluxdemo/clusters/image"
)

// program writes a file that looks like a program for Linux: static, or with
// a loader that it asks for.
func program(t *testing.T, static bool) string {
	t.Helper()
	var out bytes.Buffer
	header := struct {
		Ident                                   [16]byte
		Type, Machine                           uint16
		Version                                 uint32
		Entry, PhOff, ShOff                     uint64
		Flags                                   uint32
		EhSize, PhSize, PhNum, ShSize, ShN, ShI uint16
	}{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: 2, Machine: 62, Version: 1, PhOff: 64, EhSize: 64, PhSize: 56, PhNum: 1}
	kind := uint32(1) // PT_LOAD
	if !static {
		kind = 3 // PT_INTERP
	}
	part := struct {
		Type, Flags                                 uint32
		Off, VAddr, PAddr, FileSize, MemSize, Align uint64
	}{Type: kind}
	for _, v := range []any{header, part, []byte("and what it does")} {
		if err := binary.Write(&out, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, out.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

const controller = "ghcr.io/fluxcd/source-controller:v1.9.3"

func build(t *testing.T, references ...string) []image.Image {
	t.Helper()
	images, err := image.Build(references, []image.Program{
		{Repository: "ghcr.io/fluxcd/source-controller", Path: program(t, true), User: "65534:65534"},
	}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return images
}

func TestBuild(t *testing.T) {
	images := build(t, controller, "registry.example/other:1", controller, "ghcr.io/fluxcd/source-controller:v1.8.0")
	var names []string
	for _, i := range images {
		names = append(names, i.Name)
	}
	if want := []string{"ghcr.io/fluxcd/source-controller:v1.8.0", controller}; !slices.Equal(names, want) {
		t.Fatalf("images: %v, want %v", names, want)
	}
	config, err := images[1].ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c := config.Config; config.OS != "linux" || config.Architecture != "amd64" || c.User != "65534:65534" || !slices.Equal(c.Entrypoint, []string{"source-controller"}) {
		t.Errorf("the configuration: %+v", config)
	}
	found := map[string]*tar.Header{}
	files := mutate.Extract(images[1])
	defer files.Close()
	for in := tar.NewReader(files); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(header.Name, "/")] = header
	}
	for name, mode := range map[string]int64{"usr/local/bin/source-controller": 0o755, "tmp": 0o1777, "etc/passwd": 0o644, "etc/ssl/certs/ca-certificates.crt": 0o644} {
		if found[name] == nil || found[name].Mode != mode {
			t.Errorf("%s: %+v, want mode %o", name, found[name], mode)
		}
	}
}

func TestBuildIsRepeatable(t *testing.T) {
	a, err := build(t, controller)[0].Digest()
	if err != nil {
		t.Fatal(err)
	}
	b, err := build(t, controller)[0].Digest()
	if err != nil || a != b {
		t.Errorf("the same program makes %s and %s, %v", a, b, err)
	}
}

func TestBuildRefusesWhatCannotRun(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for want, path := range map[string]string{
		"CGO_ENABLED=0":       program(t, false),
		"not a Linux program": text,
		"no such file":        filepath.Join(t.TempDir(), "nowhere"),
	} {
		_, err := image.Build([]string{controller}, []image.Program{{Repository: "ghcr.io/fluxcd/source-controller", Path: path}}, "amd64")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), controller) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
}

// TestWrite reads an archive the way its readers do.
func TestWrite(t *testing.T) {
	i := build(t, controller)[0]
	var archive bytes.Buffer
	if err := i.Write(&archive); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for in := tar.NewReader(&archive); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, header.Name)
		content, err := io.ReadAll(in)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err == nil {
			err = os.WriteFile(path, content, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index, validate.Fast); err != nil {
		t.Error(err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil || len(blobs) != 4 { // manifest, configuration, two layers
		t.Errorf("blobs: %v, %v", blobs, err)
	}
	for _, file := range blobs {
		content, err := os.ReadFile(file)
		if sum := sha256.Sum256(content); err != nil || hex.EncodeToString(sum[:]) != filepath.Base(file) {
			t.Errorf("%s has the digest %x, %v", file, sum, err)
		}
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := i.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest != digest || manifest.Manifests[0].Annotations["io.containerd.image.name"] != controller {
		t.Errorf("the index: %+v, want %s", manifest, digest)
	}
}

// broken fails after some bytes, as a node that goes away does.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	if err := build(t, controller)[0].Write(&broken{2000}); !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), controller) {
		t.Errorf("%v", err)
	}
}

func TestNames(t *testing.T) {
	for reference, want := range map[string][2]string{
		"app":                               {"app", ""},
		"app:1":                             {"app", "1"},
		"localhost:5000/app":                {"localhost:5000/app", ""},
		"localhost:5000/app:1":              {"localhost:5000/app", "1"},
		controller:                          {"ghcr.io/fluxcd/source-controller", "v1.9.3"},
		controller + "@sha256:" + sixtyFour: {"ghcr.io/fluxcd/source-controller", "v1.9.3"},
		"a/b@sha256:" + sixtyFour:           {"a/b", ""},
	} {
		if got := [2]string{image.Repository(reference), image.Tag(reference)}; got != want {
			t.Errorf("%s: %q, want %q", reference, got, want)
		}
	}
}

var sixtyFour = strings.Repeat("0123456789abcdef", 4)
