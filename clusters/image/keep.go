package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// Keep pulls an image for Linux and the architecture arch from its registry
// and keeps it in the folder dir, which is an OCI image layout. One that is
// kept already under that name is replaced.
func Keep(ctx context.Context, dir, reference, arch string) error {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return fmt.Errorf("pulling an image: %w", err)
	}
	pulled, err := remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
	if err != nil {
		return fmt.Errorf("pulling %s: %w", reference, err)
	}
	kept, err := layout.FromPath(dir)
	if errors.Is(err, fs.ErrNotExist) {
		kept, err = layout.Write(dir, empty.Index)
	}
	if err == nil {
		err = kept.ReplaceImage(pulled, named(reference), layout.WithAnnotations(map[string]string{nameAnnotation: reference}))
	}
	if err != nil {
		return fmt.Errorf("saving the image %s: %w", reference, err)
	}
	return nil
}

// Kept returns the images that Keep has left in dir under these names, and
// the names that it has not. A dir of "" has none.
func Kept(dir string, references []string) (images []Image, missing []string, err error) {
	if _, err := os.Stat(filepath.Join(dir, "index.json")); dir == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, references, nil
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the images in %s: %w", dir, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, nil, fmt.Errorf("reading the images in %s: %w", dir, err)
	}
	for _, reference := range references {
		found := false
		for _, each := range manifest.Manifests {
			if !named(reference)(each) {
				continue
			}
			image, err := index.Image(each.Digest)
			if err != nil {
				return nil, nil, fmt.Errorf("reading the image %s in %s: %w", reference, dir, err)
			}
			images, found = append(images, Image{reference, image}), true
			break
		}
		if !found {
			missing = append(missing, reference)
		}
	}
	return images, missing, nil
}

// Check reads all of a kept image and returns an error if something is
// missing or damaged.
func (i Image) Check() error {
	if err := validate.Image(i.Image); err != nil {
		return fmt.Errorf("the image %s is damaged: %w; `fluxdemo prefetch` pulls it again", i.Name, err)
	}
	return nil
}

func named(reference string) match.Matcher { return match.Annotation(nameAnnotation, reference) }
