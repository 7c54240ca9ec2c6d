package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const helpRuns = 20

// measureHelp measures what every command costs at least.
func measureHelp(ctx context.Context, o options, report *Report) error {
	var samples []float64
	for range helpRuns {
		var out, errOut bytes.Buffer
		cmd := exec.CommandContext(ctx, o.fluxdemo, "--help")
		took, _, err := timed(ctx, cmd, &out, &errOut)
		if err != nil {
			return err
		}
		samples = append(samples, seconds(took)*1000)
	}
	report.add(figure("help", "fluxdemo --help, p50", "ms", statP50, samples).below(100))
	return nil
}

// buildLimit is the target for a cold build.
const buildLimit = 15 * time.Minute

// measureBuild builds the bundle with an empty build cache. The modules'
// sources come from the module cache, if they are there.
func measureBuild(ctx context.Context, o options, report *Report) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "fluxdemo-bench-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	cmd := exec.CommandContext(ctx, "go", "run", ".", "-o", filepath.Join(temp, "bundle"))
	cmd.Dir = filepath.Join(root, "hack", "bundle")
	cmd.Env = append(os.Environ(), "GOCACHE="+filepath.Join(temp, "cache"))
	cmd.Stderr = o.progress
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) } // go run does not pass it on
	cmd.WaitDelay = 10 * time.Second
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building the bundle: %w", err)
	}
	took := time.Since(start)
	report.add(figure("build", "cold build of the bundle", "s", statOnce, []float64{seconds(took)}).atMost(buildLimit.Seconds()))
	return nil
}

// moduleRoot is the folder of the module that the working folder is in.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w; run this inside it", err)
	}
	return string(bytes.TrimSpace(out)), nil
}
