// Package image builds container images of the bundle's static binaries, and
// loads them into a container engine. It needs no registry and no storage: an
// image is a few headers around an existing file.
package image

import (
	"debug/elf"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// Image is a container image and the name that manifests have for it.
type Image struct {
	Name string // "ghcr.io/fluxcd/source-controller:v1.9.3"
	v1.Image
}

// Build builds the images that references name and that have a program, each
// once and in the order of their names. It skips other references, which the
// container engine has to pull. The images are for the architecture arch, for
// example "amd64", and contain the certificate authorities of this machine.
// It fails if a program needs other files, such as libraries.
func Build(references []string, programs []Program, arch string) ([]Image, error) {
	base, err := baseLayer(hostCertificates())
	if err != nil {
		return nil, fmt.Errorf("building images: %w", err)
	}
	references = slices.Compact(slices.Sorted(slices.Values(references)))
	images := make([]Image, len(references))
	var group errgroup.Group // each reads a large file
	for at, reference := range references {
		program, ok := programOf(reference, programs)
		if !ok {
			continue
		}
		group.Go(func() error {
			image, err := build(program, base, arch)
			if err != nil {
				return fmt.Errorf("building the image %s: %w", reference, err)
			}
			images[at] = Image{reference, image}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(images, func(i Image) bool { return i.Image == nil }), nil
}

// programOf returns the program with the reference's repository: of several the
// one with its tag, or else the first.
func programOf(reference string, programs []Program) (found Program, ok bool) {
	for _, p := range programs {
		if p.Repository == Repository(reference) && (!ok || slices.Contains(p.Tags, Tag(reference))) {
			found, ok = p, true
		}
	}
	return found, ok
}

func build(p Program, base v1.Layer, arch string) (v1.Image, error) {
	if err := checkStatic(p.Path); err != nil {
		return nil, err
	}
	// The names in the image are those of the official ones, so that what
	// people see with `ps` and `kubectl describe` is the same.
	entry := path.Base(p.Repository)
	program, err := newLayer(programEntry("usr/local/bin/"+entry, p.Path))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.AppendLayers(image, base, program)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	config.Config = v1.Config{
		User:       p.User,
		Entrypoint: []string{entry},
		Env:        []string{"PATH=/usr/local/bin", "HOME=/tmp", "GNUPGHOME=/tmp"},
		WorkingDir: "/",
		Labels:     map[string]string{"org.opencontainers.image.title": entry},
	}
	return mutate.ConfigFile(image, config)
}

// checkStatic returns an error unless the file at path is a program for
// Linux that brings along everything it needs.
func checkStatic(path string) error {
	content, err := os.Open(path)
	if err != nil {
		return err
	}
	defer content.Close()
	file, err := elf.NewFile(content)
	if err != nil {
		return fmt.Errorf("%s is not a Linux program: %w", path, err)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs libraries that its image does not have; build it with CGO_ENABLED=0, as the Makefile does", path)
		}
	}
	return nil
}

// Program is what the containers of an image run.
type Program struct {
	Repository string // the image's name without tag and digest; several programs may share it
	// Tags are those that the image has on clusters whose pods are processes.
	// Without any, each tag is meant.
	Tags []string
	Path string // of the executable on this machine
	User string // numeric uid:gid, as the official image has it

	// How the program runs as a process of this machine, on clusters whose
	// pods are processes.

	// Flags come after the container's arguments: of a flag that is given
	// twice the last one wins.
	Flags []string
	// PortFlags maps the name of a container port to the flag that sets its
	// listen address, for example "http" to "--addr".
	PortFlags map[string]string
	// Only are the first arguments of which a container has to have one; without
	// any, all are fine. Never are flags and variables that it may not have,
	// because they make the program run others: "--kubeconfig", "HOME", "AWS_*".
	Only, Never []string
}

// Repository returns an image's name without its tag and digest.
func Repository(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	if tag := Tag(reference); tag != "" {
		reference = strings.TrimSuffix(reference, ":"+tag)
	}
	return reference
}

// Tag returns the tag of an image's name, or "" if it has none.
func Tag(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	// A colon before the last slash belongs to the registry's port.
	if i := strings.LastIndex(reference, ":"); i > strings.LastIndex(reference, "/") {
		return reference[i+1:]
	}
	return ""
}

// hostCertificates returns the certificate authorities that this machine
// trusts, in PEM, or nothing if it has none where Linux systems have them.
func hostCertificates() []byte {
	for _, file := range []string{
		os.Getenv("SSL_CERT_FILE"),
		"/etc/ssl/certs/ca-certificates.crt",                // Debian, Arch, Alpine
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora
		"/etc/ssl/ca-bundle.pem",                            // SUSE
		"/etc/ssl/cert.pem",
	} {
		if raw, err := os.ReadFile(file); err == nil {
			return raw
		}
	}
	return nil
}
