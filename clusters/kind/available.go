package kind

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// askTime is how long a registry may take to say whether it has an image.
const askTime = 3 * time.Second

// Available reports whether this machine can run kind clusters with a node
// image, or kind's own if that is empty: a container engine answers, and has
// the image or can get it.
func Available(ctx context.Context, nodeImage string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("containers run Linux programs, and the bundle is for %s", runtime.GOOS)
	}
	e, err := findEngine(ctx)
	if err != nil {
		return err
	}
	if nodeImage == "" {
		nodeImage = defaults.Image
	}
	if e.hasImage(ctx, nodeImage) {
		return nil
	}
	reference, err := name.ParseReference(nodeImage)
	if err != nil {
		return fmt.Errorf("the node image: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if _, err := remote.Head(reference, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("%s does not have the node image %s, and cannot pull it", e.cli, reference.Context().RepositoryStr())
	}
	return nil
}
