// Package images knows which images the node runs, and as what: the program of
// each, its flags, and what a container may not ask of it.
package images

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/pull"
	"github.com/fluxdemo/fluxdemo/clusters/image"
)

// Image says how an image's containers are run as host processes.
type Image struct {
	// Repository is the image's name without tag and digest, for example
	// "ghcr.io/fluxcd/source-controller". Several images may share it.
	Repository string
	// Tags are those that the image has. Without any, each tag is meant.
	Tags []string
	// Binary is the absolute path of the executable.
	Binary string
	// Args are put before the container's arguments: the entry point.
	Args []string
	// Append are flags that come after the container's arguments. Of a flag
	// that is given twice the last one wins.
	Append []string
	// PortFlags maps a container port's name to the flag that sets its
	// listen address. The flag is appended as flag=127.0.0.1:<local port>.
	PortFlags map[string]string
	// Only are the first arguments of which a container has to have one, and
	// Never the flags and variables that it may not have ("--kubeconfig",
	// "HOME", "AWS_*"): the program would do more with them than it is for.
	Only, Never []string
}

// Refuse returns why a container's arguments or variables ask the program for
// more than it is for, if they do.
func (i Image) Refuse(args, variables []string) error {
	if len(i.Only) > 0 && (len(args) == 0 || !slices.Contains(i.Only, args[0])) {
		return fmt.Errorf("image %s runs only as %s on the virtual node, not with the arguments %q", i.Repository, strings.Join(i.Only, " or "), args)
	}
	for _, never := range i.Never {
		prefix, open := strings.CutSuffix(never, "*")
		meant := func(name string) bool { return name == never || open && strings.HasPrefix(name, prefix) }
		for _, arg := range args {
			// Go's and pflag's flags: one or two dashes, with or without a value.
			if name, _, _ := strings.Cut("--"+strings.TrimLeft(arg, "-"), "="); strings.HasPrefix(arg, "-") && meant(name) {
				return fmt.Errorf("the virtual node does not run %s with %s: it could make the program run others", i.Repository, never)
			}
		}
		for _, name := range variables {
			if meant(name) {
				return fmt.Errorf("the virtual node does not run %s with the variable %s: it could make the program run others", i.Repository, name)
			}
		}
	}
	return nil
}

// Find returns the image that a reference names: of those with its
// repository the one with its tag, or else the first. It is unknown if there
// is none with its repository.
func Find(images []Image, reference string) (found Image, known bool) {
	name, tag := image.Repository(reference), image.Tag(reference)
	for _, each := range images {
		if each.Repository == name && (!known || slices.Contains(each.Tags, tag)) {
			found, known = each, true
		}
	}
	return found, known
}

// Missing returns why a reference names no image of a known repository, if
// that is so.
func Missing(images []Image, reference string) error {
	name, tags := image.Repository(reference), []string{}
	for _, each := range images {
		if each.Repository != name {
			continue
		}
		if len(each.Tags) == 0 {
			return nil
		}
		tags = append(tags, each.Tags...)
	}
	return pull.Missing(reference, tags)
}

// Simulated is what status, events and logs say of an unknown image.
func Simulated(reference string) string {
	return "simulated: image " + reference + " is not in the bundle, nothing runs"
}

// Arguments returns what comes after the program's name. A command replaces
// the image's entry point, and may only name the image's own program.
func (i Image) Arguments(spec *corev1.Container) ([]string, error) {
	if len(spec.Command) == 0 {
		return append(append([]string{}, i.Args...), spec.Args...), nil
	}
	if filepath.Base(spec.Command[0]) != filepath.Base(i.Binary) {
		return nil, fmt.Errorf("the command %q is not the program of image %s (%s), and the virtual node has no other files of the image",
			spec.Command[0], i.Repository, filepath.Base(i.Binary))
	}
	return append(append([]string{}, spec.Command[1:]...), spec.Args...), nil
}
