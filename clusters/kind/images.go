package kind

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	kindexec "sigs.k8s.io/kind/pkg/exec"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/image"
)

// parallelImages is how many images go into nodes at a time.
const parallelImages = 4

// load puts the images into the nodes that lack them, straight into their
// containerd.
func (c *Cluster) load(ctx context.Context, e engine, made settings, steps clusters.Steps) error {
	if c.options.Images == nil {
		return nil
	}
	images, err := c.options.Images(ctx, made.Official)
	if err != nil {
		return err
	}
	all, err := kindcluster.NewProvider(e.provider()).ListInternalNodes(c.name)
	if err != nil {
		return fmt.Errorf("listing the cluster's nodes: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelImages)
	var end func(error)
	for _, n := range all {
		there, err := digests(ctx, n)
		if err != nil {
			return err
		}
		for _, i := range images {
			digest, err := i.Digest()
			if err != nil {
				return fmt.Errorf("the image %s: %w", i.Name, err)
			}
			if there[i.Name] == digest.String() {
				continue
			}
			if end == nil {
				end = steps.Start("Images into the node")
			}
			group.Go(func() error { return loadOne(ctx, n, i) })
		}
	}
	err = group.Wait()
	if end != nil {
		end(err)
	}
	return err
}

// containerdTime is how long the containerd of a node that has just started
// may take to answer.
const containerdTime = 30 * time.Second

// digests returns the digests of a node's images by their names. The node may
// be starting: there is nothing to watch until its containerd answers.
func digests(ctx context.Context, n nodes.Node) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, containerdTime)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		lines, err := kindexec.CombinedOutputLines(n.CommandContext(ctx, "ctr", "--namespace=k8s.io", "images", "list"))
		if err == nil {
			return parseDigests(lines), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("listing the images of node %s: %w: %s", n, err, strings.Join(lines, "; "))
		}
	}
}

// parseDigests reads the table of `ctr images list`.
func parseDigests(lines []string) map[string]string {
	found := map[string]string{}
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) >= 3 && strings.HasPrefix(fields[2], "sha256:") {
			found[fields[0]] = fields[2]
		}
	}
	return found
}

// loadOne streams an image into a node.
func loadOne(ctx context.Context, n nodes.Node, i image.Image) error {
	read, write := io.Pipe()
	go func() { write.CloseWithError(i.Write(write)) }()
	// The library takes no context; an archive that breaks off ends it.
	stop := context.AfterFunc(ctx, func() { read.CloseWithError(ctx.Err()) })
	defer stop()
	err := nodeutils.LoadImageArchive(n, read)
	read.CloseWithError(io.ErrClosedPipe) // unblocks the writer if the reader stops early
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("loading the image %s into node %s: %w", i.Name, n, err)
	}
	return nil
}
