package kind

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// Prefetch pulls the node images that Up would, and proves that they start
// without a network.
func (c *Cluster) Prefetch(ctx context.Context, steps clusters.Steps) error {
	e, err := c.engine(ctx)
	if err != nil {
		return err
	}
	config, _, err := c.config(settings{})
	if err != nil {
		return err
	}
	if err := c.ensureImages(ctx, e, config, steps); err != nil {
		return err
	}
	var images []string
	for _, n := range config.Nodes {
		images = append(images, n.Image)
	}
	slices.Sort(images)
	return step(steps, "Dry run of the node image", func() error {
		for _, image := range slices.Compact(images) {
			if err := e.dryRun(ctx, image); err != nil {
				return err
			}
		}
		return nil
	})
}

// dryRun starts a container of a node image, offline, and looks whether it
// is one.
func (e engine) dryRun(ctx context.Context, image string) error {
	version, err := e.run(ctx, "run", "--rm", "--pull=never", "--network=none", "--entrypoint=cat", image, "/kind/version")
	if err != nil {
		return fmt.Errorf("the node image %s does not start: %w", image, err)
	}
	if !strings.HasPrefix(strings.TrimSpace(version), "v") {
		return fmt.Errorf("%s is no node image: its /kind/version says %q", image, version)
	}
	return nil
}
