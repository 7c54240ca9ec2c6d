package node

import "github.com/fluxdemo/fluxdemo/clusters/image"

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

// findImage returns the known image that a reference names.
func findImage(images []Image, reference string) (Image, bool) {
	name := image.Repository(reference)
	for _, known := range images {
		if known.Repository == name {
			return known, true
		}
	}
	return Image{}, false
}

// simulatedMessage is what status, events and logs say of an unknown image.
func simulatedMessage(reference string) string {
	return "simulated: image " + reference + " is not in the bundle, nothing runs"
}
