package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// image is a container image for this machine's platform.
type image struct {
	layers []layer
	config ocispec.ImageConfig
}

// configJSON returns the image's configuration as it is stored.
func (i image) configJSON() ([]byte, error) {
	config := ocispec.Image{
		Platform: ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH},
		Config:   i.config,
		RootFS:   ocispec.RootFS{Type: "layers"},
	}
	for _, l := range i.layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.digest)
	}
	return json.Marshal(config)
}

// manifest returns the image's manifest for a configuration.
func (i image) manifest(config []byte) ocispec.Manifest {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config)),
		},
	}
	for _, l := range i.layers {
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: l.digest, Size: l.size})
	}
	return m
}

// archive writes the image to the file at path, called name, in the format
// that `docker load`, `podman load` and `ctr images import` read.
func (i image) archive(path, name string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	config, err := i.configJSON()
	if err != nil {
		return err
	}
	entry := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{Config: digest.FromBytes(config).Encoded() + ".json", RepoTags: []string{name}}
	w := tar.NewWriter(file)
	add := func(name string, size int64, content io.Reader) error {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: epoch()}); err != nil {
			return err
		}
		_, err := io.Copy(w, content)
		return err
	}
	for _, l := range i.layers {
		content, err := os.Open(l.path)
		if err != nil {
			return err
		}
		name := l.digest.Encoded() + ".tar"
		err = add(name, l.size, content)
		content.Close()
		if err != nil {
			return fmt.Errorf("adding a layer: %w", err)
		}
		entry.Layers = append(entry.Layers, name)
	}
	list, err := json.Marshal([]any{entry})
	if err != nil {
		return err
	}
	for name, raw := range map[string][]byte{entry.Config: config, "manifest.json": list} {
		if err := add(name, int64(len(raw)), bytes.NewReader(raw)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return file.Close()
}

// repository returns the last part of an image's name, without its tag:
// "coredns" of registry.k8s.io/coredns/coredns:v1.14.2.
func repository(name string) string {
	name = name[strings.LastIndex(name, "/")+1:]
	name, _, _ = strings.Cut(name, ":")
	return name
}
