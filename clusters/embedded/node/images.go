package node

import "strings"

// Image says how an image's containers are run as host processes.
type Image struct {
	// Repository is the image's name without tag and digest, for example
	// "ghcr.io/fluxcd/source-controller". Every tag of it matches.
	Repository string
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
}

// repository returns an image reference without its tag and digest.
func repository(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	// A colon before the last slash belongs to the registry's port.
	if i := strings.LastIndex(reference, ":"); i > strings.LastIndex(reference, "/") {
		reference = reference[:i]
	}
	return reference
}

// findImage returns the known image that a reference names.
func findImage(images []Image, reference string) (Image, bool) {
	name := repository(reference)
	for _, image := range images {
		if image.Repository == name {
			return image, true
		}
	}
	return Image{}, false
}

// simulatedMessage is what status, events and logs say of an unknown image.
func simulatedMessage(reference string) string {
	return "simulated: image " + reference + " is not in the bundle, nothing runs"
}
