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
	"sync"
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
	if err := chromedp.Do(page, chromedp.EmulateViewport(1280, 720)); err != nil {
		return err
	}
	if err := open(page, address); err != nil {
		return err
	}
	if _, err := chromedp.Run(page, chromedp.Evaluate[bool](
		`(window.painted = [], document.addEventListener("fluxdemo:painted", (e) => e.detail.count > 0 && painted.push(e.detail.after)), true)`)); err != nil {
		return fmt.Errorf("listening to the page: %w", err)
	}
	if _, err := pushes(ctx, o, work, c.kubeconfig(), ""); err != nil {
		return err
	}
	painted, err := chromedp.Run(page, chromedp.Evaluate[[]float64]("painted"))
	if err != nil {
		return fmt.Errorf("asking the page what it has painted: %w", err)
	}
	if len(painted) < o.pushes {
		return fmt.Errorf("%d pushes, and the page has painted only %d times", o.pushes, len(painted))
	}
	end() // there is one stage at a time
	big, err := c.openBig(ctx, page)
	if err != nil {
		return err
	}
	const name = "watch event to painted node"
	report.add(
		figure("stage", name+", p50", "ms", statP50, painted),
		figure("stage", name+", p99", "ms", statP99, painted).atMost(100),
		figure("stage", "a deck of 300 slides is on the screen", "s", statMedian, big).atMost(1),
	)
	return nil
}

// open goes to an address and returns when what is shown there is drawn.
func open(page context.Context, address string) error {
	err := chromedp.Do(page, chromedp.Navigate(address))
	if err == nil {
		_, err = chromedp.Run(page, chromedp.Poll[bool](`document.documentElement.dataset.ready === "true"`))
	}
	if err != nil {
		return fmt.Errorf("opening %s: %w", address, err)
	}
	return nil
}

// openBig returns how many seconds a deck of 300 slides takes from the address to the screen, in a browser that is warm.
func (c *cluster) openBig(ctx context.Context, page context.Context) (took []float64, err error) {
	var text strings.Builder
	text.WriteString("# Big\n")
	for i := range 299 {
		fmt.Fprintf(&text, "\n# Slide %d\n\n* a\n* {::wait/}b\n\n```mermaid\nflowchart LR\n  A[User] --> B[Git] --> C[Flux]\n```\n", i)
	}
	deck := filepath.Join(c.temp, "big.md")
	if err := os.WriteFile(deck, []byte(text.String()), 0o644); err != nil {
		return nil, err
	}
	address, end, err := c.present(ctx, deck)
	if err != nil {
		return nil, err
	}
	defer end()
	for i := range 6 {
		if err := open(page, fmt.Sprintf("%s?%d", address, i)); err != nil {
			return nil, err
		}
		at, err := chromedp.Run(page, chromedp.Evaluate[float64](`performance.getEntriesByType("mark").find(m => m.name === "fluxdemo:ready").startTime`))
		if err != nil {
			return nil, fmt.Errorf("asking the page when it was ready: %w", err)
		}
		if i > 0 { // the first one warms it up
			took = append(took, at/1000)
		}
	}
	return took, nil
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
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt) // may be gone
		_ = cmd.Wait()
	})
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
