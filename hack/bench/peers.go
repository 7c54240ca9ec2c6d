package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
)

// kwok is what is compared with: the same Kubernetes binaries brought up by
// kwokctl, without Flux and with a node that runs nothing.
const (
	kwokModule  = "sigs.k8s.io/kwok"
	kwokVersion = "v0.8.0"
)

func measurePeers(ctx context.Context, o options, report *Report) error {
	bin, err := buildKwok(ctx, o)
	if err != nil {
		return err
	}
	var kwokReady, kwokNode, ours []float64
	// In turns, so that both have the same neighbours on the machine.
	for run := range o.runs {
		ready, node, err := kwokRun(ctx, o, bin, run)
		if err != nil {
			return fmt.Errorf("kwokctl: %w", err)
		}
		kwokReady, kwokNode = append(kwokReady, ready), append(kwokNode, node)
		mine, err := nodeRun(ctx, o, run)
		if err != nil {
			return err
		}
		ours = append(ours, mine)
		o.say("  run %d: kwokctl %.2f s, with a node %.2f s; ours, node Ready %.2f s", run+1, ready, node, mine)
	}
	report.add(
		figure("peers", "kwokctl "+kwokVersion+", cluster ready", "s", statMedian, kwokReady),
		figure("peers", "kwokctl, a node Ready", "s", statMedian, kwokNode),
		figure("peers", "ours, node Ready (median)", "s", statMedian, ours).below(median(kwokReady)),
	)
	return nil
}

// nodeRun brings up a cluster of ours and returns when its node was ready.
func nodeRun(ctx context.Context, o options, run int) (at float64, err error) {
	c, err := newCluster(o, fmt.Sprintf("peer-%d", run+1))
	if err != nil {
		return 0, err
	}
	defer c.closing(ctx, &err)
	m, err := watchedUp(ctx, c, true)
	return m.node, err
}

// buildKwok builds kwokctl and kwok from their module and puts them beside
// the Kubernetes binaries into a folder, whose path it returns.
func buildKwok(ctx context.Context, o options) (string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "build", "peers", "kwok-"+kwokVersion)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// A module of its own: kwok's dependencies have no business in ours.
	mod := fmt.Sprintf("module peers\n\ngo 1.26.0\n\nrequire %s %s\n", kwokModule, kwokVersion)
	if err := writeOnce(filepath.Join(dir, "go.mod"), mod); err != nil {
		return "", err
	}
	o.say("  building kwokctl %s (minutes the first time)", kwokVersion)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", "bin/", kwokModule+"/cmd/kwokctl", kwokModule+"/cmd/kwok")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if _, _, err := timed(ctx, cmd, &out, &errOut); err != nil {
		return "", fmt.Errorf("building kwokctl: %w", err)
	}
	bin := filepath.Join(dir, "bin")
	for _, name := range append(kubeNames(), "kubectl") {
		link := filepath.Join(bin, name)
		_ = os.Remove(link) // an old one may show to another bundle
		if err := os.Symlink(filepath.Join(o.bundle, "kube"), link); err != nil {
			return "", err
		}
	}
	return bin, nil
}

func kubeNames() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// writeOnce writes a file unless it is there: go build adds to go.mod.
func writeOnce(path, content string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// kwokRun creates a cluster with kwokctl and deletes it. It returns when
// kwokctl called it ready, and when a node in it was, both in seconds from
// the start.
func kwokRun(ctx context.Context, o options, bin string, run int) (clusterReady, nodeReady float64, err error) {
	home, err := os.MkdirTemp("", "fluxdemo-bench-kwok-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(home)
	name := fmt.Sprintf("bench-%d", run+1)
	kubeconfig := filepath.Join(home, "kubeconfig")
	kwokctl := func(ctx context.Context, args ...string) error {
		var out, errOut bytes.Buffer
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "kwokctl"), append(args, "--name", name)...)
		cmd.Env = append(os.Environ(), "HOME="+home, "KWOK_WORKDIR="+filepath.Join(home, "kwok"),
			"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		cmd.Stdout, cmd.Stderr = &out, &errOut
		_, _, err := timed(ctx, cmd, &out, &errOut)
		return err
	}
	create := []string{"create", "cluster", "--runtime=binary", "--wait=1m", "--timeout=2m", "--kubeconfig=" + kubeconfig,
		"--kwok-controller-binary=" + filepath.Join(bin, "kwok")}
	for _, name := range kubeNames() {
		create = append(create, "--"+name+"-binary="+filepath.Join(bin, name))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if down := kwokctl(ctx, "delete", "cluster", "--kubeconfig="+kubeconfig); err == nil {
			err = down
		}
	}()
	start := time.Now()
	if err := kwokctl(ctx, create...); err != nil {
		return 0, 0, err
	}
	clusterReady = seconds(time.Since(start))
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("kwok's node is not ready after a minute"))
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return kwokctl(ctx, "scale", "node", "--replicas=1") })
	group.Go(func() error {
		at, err := await(ctx, kubeconfig, nodes(), ready)
		nodeReady = seconds(at.Sub(start))
		return err
	})
	err = group.Wait()
	return clusterReady, nodeReady, err
}
