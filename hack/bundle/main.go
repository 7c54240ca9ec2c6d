// Command bundle builds every binary that a cluster of fluxdemo runs (etcd,
// the Kubernetes control plane, kubectl, the Flux controllers and the flux
// CLI) and Flux's install manifests, from the modules pinned in go.mod. The
// outcome is a folder with a bundle.json that lists versions and checksums;
// nothing is built when nothing changed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	out := flag.String("o", filepath.Join("..", "..", "build", "bundle"), "folder to write the bundle to")
	force := flag.Bool("force", false, "build even if nothing changed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *out, *force); err != nil {
		fmt.Fprintf(os.Stderr, "bundle: %v\n", err)
		os.Exit(1)
	}
}

// run builds the bundle into out unless it is there already. It works in a
// folder beside out and puts that in its place at the end, so that an
// interrupted build leaves the old bundle whole.
func run(ctx context.Context, out string, force bool) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	inputs, err := inputsSum()
	if err != nil {
		return fmt.Errorf("reading what the bundle is made from: %w", err)
	}
	if !force && upToDate(out, inputs) {
		fmt.Fprintf(os.Stderr, "bundle: up to date in %s\n", out)
		return nil
	}
	start := time.Now()
	work := out + ".work"
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(filepath.Join(work, "bundle"), 0o755); err != nil {
		return err
	}
	modules, err := listModules(ctx)
	if err != nil {
		return err
	}
	modfile, err := writeFlux(modules, work)
	if err != nil {
		return fmt.Errorf("generating Flux's manifests: %w", err)
	}
	staged := filepath.Join(work, "bundle")
	if err := compile(ctx, staged, modfile, modules); err != nil {
		if ctx.Err() != nil {
			return errors.New("interrupted; compiled packages are kept, so run the same command to resume")
		}
		return err
	}
	if err := exportInstall(ctx, staged); err != nil {
		return err
	}
	if err := writeIndex(staged, inputs, modules); err != nil {
		return fmt.Errorf("writing the list of contents: %w", err)
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	if err := os.Rename(staged, out); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "bundle: built in %s: %s\n", time.Since(start).Round(time.Second), out)
	return nil
}
