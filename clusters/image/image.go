// Package image makes container images out of the bundle's static binaries
// and writes them to where containers run. No registry is asked and nothing
// is stored: an image is a few headers around a file that is there already.
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

// Build makes the images that references name and of which there is a
// program, each once and in the order of their names; other references are
// left to whoever runs the containers. The images are for the architecture
// arch, such as "amd64", and contain the certificate authorities of this
// machine. It is an error if a program cannot run without files of a system.
func Build(references []string, programs []Program, arch string) ([]Image, error) {
	base, err := baseLayer(hostCertificates())
	if err != nil {
		return nil, fmt.Errorf("making images: %w", err)
	}
	references = slices.Compact(slices.Sorted(slices.Values(references)))
	images := make([]Image, len(references))
	var group errgroup.Group // each reads a large file
	for at, reference := range references {
		i := slices.IndexFunc(programs, func(p Program) bool { return p.Repository == Repository(reference) })
		if i < 0 {
			continue
		}
		group.Go(func() error {
			image, err := build(programs[i], base, arch)
			if err != nil {
				return fmt.Errorf("making the image %s: %w", reference, err)
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
		return fmt.Errorf("%s is no program for Linux, which containers run: %w", path, err)
	}
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs libraries that its image does not have; build it with CGO_ENABLED=0, as make does", path)
		}
	}
	return nil
}

// Program is what the containers of an image run.
type Program struct {
	Repository string // the image's name without tag and digest; every tag of it is meant
	Path       string // of the executable on this machine
	User       string // numeric uid:gid, as the official image has it

	// How the program runs as a process of this machine, on clusters whose
	// pods are processes.

	// Flags come after the container's arguments: of a flag that is given
	// twice the last one wins.
	Flags []string
	// PortFlags maps the name of a container port to the flag that sets its
	// listen address, for example "http" to "--addr".
	PortFlags map[string]string
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
