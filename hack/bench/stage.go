package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/slides/browser"
)

// stageDeck has one diagram, on which everything that a push does can be seen.
const stageDeck = "# The way\n\n```mermaid\nflowchart LR\n" +
	"  U((User)) --> G(Git) --> W(webhook) --> R(Receiver) --> S(GitRepository)\n" +
	"  G --> S --> K(\"Kustomization apps\") --> C((Kubernetes))\n```\n" +
	"{: bind-K=\"Kustomization/flux-system/apps\"}\n"

// measureStage pushes while a diagram is shown in a browser, and takes from the page when each state and pulse was
// painted: after the watch, or the stream of the Git host or the inbox, had brought it to the stage.
func measureStage(ctx context.Context, o options, report *Report) (err error) {
	c, err := newCluster(o, "stage")
	if err != nil {
		return err
	}
	defer c.closing(ctx, &err)
	if _, err := c.up(ctx); err != nil {
		return err
	}
	work := workingCopy{dir: filepath.Join(c.temp, "fleet"), env: c.env}
	if _, _, err := c.fluxdemo(ctx, "clone", work.dir); err != nil {
		return err
	}
	deck := filepath.Join(c.temp, "deck.md")
	if err := os.WriteFile(deck, []byte(stageDeck), 0o644); err != nil {
		return err
	}
	address, end, err := c.present(ctx, deck)
	if err != nil {
		return err
	}
	defer end()
	page, stop, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	err = chromedp.Do(page, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(address))
	if err == nil {
		_, err = chromedp.Run(page, chromedp.Poll[bool](`document.documentElement.dataset.ready === "true"`))
	}
	if err == nil {
		_, err = chromedp.Run(page, chromedp.Evaluate[bool](
			`(window.told = [], document.addEventListener("fluxdemo:painted", (e) => e.detail.count > 0 && told.push(e.detail.after)), true)`))
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", address, err)
	}
	if _, err := pushes(ctx, o, work, c.kubeconfig(), ""); err != nil {
		return err
	}
	painted, err := chromedp.Run(page, chromedp.Evaluate[[]float64]("told"))
	if err != nil {
		return fmt.Errorf("asking the page what it has painted: %w", err)
	}
	if len(painted) < o.pushes {
		return fmt.Errorf("%d pushes, and the page has painted only %d times", o.pushes, len(painted))
	}
	const name = "watch event to painted node"
	report.add(
		figure("stage", name+", p50", "ms", statP50, painted),
		figure("stage", name+", p99", "ms", statP99, painted).atMost(100),
	)
	return nil
}

// present puts a deck on stage. end takes it off.
func (c *cluster) present(ctx context.Context, deck string) (address string, end func(), err error) {
	cmd := exec.CommandContext(ctx, c.o.fluxdemo, "present", deck, "--name", c.name)
	cmd.Env = c.env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt) // may be gone
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Audience:"); ok {
			go io.Copy(io.Discard, out) //nolint:errcheck // until the process ends
			return strings.TrimSpace(rest), end, nil
		}
	}
	end()
	return "", nil, errors.New("fluxdemo present has printed no address")
}
