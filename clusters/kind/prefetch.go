package kind

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/steps"
)

// Prefetch pulls the node images that Up would, and proves that they start
// without a network.
func (c *Cluster) Prefetch(ctx context.Context, report clusters.Steps) error {
	e, err := c.engine(ctx)
	if err != nil {
		return err
	}
	config, _, err := c.config(settings{})
	if err != nil {
		return err
	}
	if err := c.ensureImages(ctx, e, config, report); err != nil {
		return err
	}
	var images []string
	for _, n := range config.Nodes {
		images = append(images, n.Image)
	}
	slices.Sort(images)
	return steps.One(ctx, report, "Dry run of the node image", func(ctx context.Context) error {
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
		return fmt.Errorf("%s is not a node image of kind: its /kind/version contains %q", image, version)
	}
	return nil
}
