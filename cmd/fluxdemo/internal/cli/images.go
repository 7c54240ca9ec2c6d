package cli

import (
	"slices"

	"github.com/fluxdemo/fluxdemo/clusters/image"
	"github.com/fluxdemo/fluxdemo/demo/programs"
)

// KeptImages returns the folder of the images that prefetch has pulled; "" if
// the cache folder is unknown.
func KeptImages() string { return cacheFile("images") }

// OfficialImages lists the names of Flux's own images that the demo runs.
func (o *Options) OfficialImages() ([]string, error) {
	rendered, err := o.Render()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rendered.Images(), func(reference string) bool {
		return image.Repository(reference) == programs.Own
	}), nil
}
