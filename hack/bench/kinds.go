package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
)

// measureKinds does the same on an embedded cluster and on kind, one after the other.
func measureKinds(ctx context.Context, o options, report *Report) error {
	if o.node == "" {
		return errors.New("it needs a node image: -node-image names one")
	}
	embedded, err := measureKind(ctx, o, report, "embedded", []string{"--cluster", "embedded"}, embeddedMemory)
	if err != nil {
		return err
	}
	kind, err := measureKind(ctx, o, report, "kind", []string{"--cluster", "kind", "--node-image", o.node}, kindMemory)
	if err != nil {
		return err
	}
	report.add(figure("kinds", "embedded: part of kind's time to ready", "x", statOnce, []float64{embedded / kind}).atMost(0.25))
	return nil
}

// measureKind returns how many seconds it takes from up to the first Kustomization that is Ready.
func measureKind(ctx context.Context, o options, report *Report, name string, upArgs []string, memory func(context.Context, *cluster) (float64, error)) (first float64, err error) {
	c, err := newCluster(o, name)
	if err != nil {
		return 0, err
	}
	defer c.closing(ctx, &err)
	c.upArgs = upArgs
	o.say("  %s", name)
	first, whole, err := readyUp(ctx, c)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	work := workingCopy{dir: c.temp + "/fleet", env: c.env}
	if _, _, err := c.fluxdemo(ctx, "clone", work.dir); err != nil {
		return 0, err
	}
	page, err := c.appURL(ctx)
	if err != nil {
		return 0, err
	}
	s, err := pushes(ctx, o, work, c.kubeconfig(), page)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	used, err := memory(ctx, c)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	row := func(what, unit, statistic string, samples ...float64) {
		report.add(figure("kinds", name+": "+what, unit, statistic, samples))
	}
	row("first Kustomization Ready", "s", statOnce, first)
	row("whole up, until the page is served", "s", statOnce, whole)
	row("push to applied, p50", "s", statP50, s.applied...)
	row("push to applied, p99", "s", statP99, s.applied...)
	row("memory", "MB", statOnce, used)
	return first, nil
}

// readyUp brings a cluster up and returns after how many seconds its first Kustomization was Ready, and up done.
func readyUp(ctx context.Context, c *cluster) (kustomization, whole float64, err error) {
	watching, cancel := context.WithTimeoutCause(ctx, upTimeout, fmt.Errorf("not seen after %s", upTimeout))
	defer cancel()
	group, watching := errgroup.WithContext(watching)
	start := time.Now()
	group.Go(func() error {
		at, err := await(watching, c.kubeconfig(), kustomizations(""), ready)
		kustomization = seconds(at.Sub(start))
		return err
	})
	group.Go(func() error {
		took, err := c.up(watching)
		whole = seconds(took)
		return err
	})
	err = group.Wait()
	return kustomization, whole, err
}

// appURL is where the app's page is on this machine, as the program says.
func (c *cluster) appURL(ctx context.Context) (string, error) {
	_, out, err := c.fluxdemo(ctx, "status", "-o", "json")
	if err != nil {
		return "", err
	}
	var status struct {
		URLs struct{ App string } `json:"urls"`
	}
	if err := json.Unmarshal(out, &status); err != nil || status.URLs.App == "" {
		return "", fmt.Errorf("the status names no app: %w", err)
	}
	return status.URLs.App, nil
}

// embeddedMemory is the resident memory of all processes, in megabytes.
func embeddedMemory(ctx context.Context, c *cluster) (float64, error) {
	parts, err := components(ctx, c)
	if err != nil {
		return 0, err
	}
	var bytes int64
	for _, part := range parts {
		bytes += part.Memory
	}
	return float64(bytes) / 1e6, nil
}

// kindMemory is what Docker counts for the nodes' containers, without the files that are cached for them, in megabytes.
func kindMemory(ctx context.Context, c *cluster) (float64, error) {
	docker := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "docker", args...)
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		_, raw, err := timed(ctx, cmd, &out, &errOut)
		return string(raw), err
	}
	nodes, err := docker("ps", "--quiet", "--filter", "label=io.x-k8s.kind.cluster="+c.name)
	if err != nil {
		return 0, err
	}
	usage, err := docker(append([]string{"stats", "--no-stream", "--format", "{{.MemUsage}}"}, strings.Fields(nodes)...)...)
	if err != nil {
		return 0, err
	}
	var sum float64
	for line := range strings.Lines(usage) {
		used, _, _ := strings.Cut(line, " ") // 512.3MiB / 23.4GiB
		quantity, err := resource.ParseQuantity(strings.TrimSuffix(used, "B"))
		if err != nil {
			return 0, fmt.Errorf("reading %q of docker stats: %w", used, err)
		}
		sum += quantity.AsApproximateFloat64() / 1e6
	}
	return sum, nil
}
