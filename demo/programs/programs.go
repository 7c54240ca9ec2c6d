// Package programs maps the demo's images to their programs, with the flags
// that a program needs when it runs as a process instead of in a container.
package programs

import (
	"maps"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/image"
)

// Own is the repository of this program's own image.
const Own = "ghcr.io/fluxdemo/fluxdemo"

// ownTag is the only tag of this program's own image.
const ownTag = "latest"

// All lists the programs of the demo's images: this program, whose executable
// is at the path own, and Flux's controllers from the bundle.
func All(b *bundle.Bundle, own string) []image.Program {
	return append([]image.Program{OwnProgram(own)}, Flux(b)...)
}

// OwnProgram is this program, whose executable is at path.
func OwnProgram(path string) image.Program {
	return image.Program{
		Repository: Own, Tags: []string{ownTag}, Path: path, User: "65532:65532",
		PortFlags: map[string]string{"http": "--addr"},
		// Most other commands would find the user's clusters.
		Only: []string{"serve", "version"}, Never: []string{"KUBECONFIG", "HOME", "PATH", "XDG_*", "FLUXDEMO_*"},
	}
}

// runsOthers are the flags and variables with which the libraries of Flux's
// controllers run programs, or look for files that name some: credential plugins
// of kubeconfigs and clouds, helpers of container registries and Git, gpg and
// age for SOPS.
func runsOthers() []string {
	return []string{
		"--kubeconfig", "--insecure-kubeconfig-exec", "KUBECONFIG", "HOME", "PATH", "XDG_*", "AWS_*", "AZURE_*", "GOOGLE_*", "CLOUDSDK_*",
		"DOCKER_*", "REGISTRY_AUTH_FILE", "HELM_*", "GIT_*", "SSH_*", "GNUPGHOME", "SOPS_*", "LD_*",
	}
}

// Flux lists Flux's controllers from the bundle. The tag of each is the version
// of its module, as in Flux's manifests. Leader election does not work
// outside of a container (it looks for its namespace in a fixed file) and is
// not needed with one replica.
func Flux(b *bundle.Bundle) []image.Program {
	var all []image.Program
	for _, controller := range []struct {
		name      string
		portFlags map[string]string // beside those that all of them have
	}{
		{"source-controller", map[string]string{"http": "--storage-addr"}},
		{"kustomize-controller", nil},
		{"helm-controller", nil},
		{"notification-controller", map[string]string{"http": "--events-addr", "http-webhook": "--receiverAddr"}},
	} {
		flags := map[string]string{"http-prom": "--metrics-addr", "healthz": "--health-addr"}
		maps.Copy(flags, controller.portFlags)
		var tags []string
		if version := b.Version("github.com/fluxcd/" + controller.name); version != "" {
			tags = []string{version}
		}
		all = append(all, image.Program{
			Repository: "ghcr.io/fluxcd/" + controller.name, Tags: tags, Path: b.Path(controller.name), User: "65534:65534",
			Flags: []string{"--enable-leader-election=false"}, PortFlags: flags, Never: runsOthers(),
		})
	}
	return all
}
