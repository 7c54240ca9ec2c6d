// Command picture makes the README's picture of the stage from a real run: it starts an embedded cluster, presents the
// deck basics in headless Chromium, pushes a commit, and takes the picture while the pulses of that push are drawn.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/slides/browser"
)

// slide is the one of the deck that is shown, by its ID.
const slide = "no-need-to-wait-for-the-clock"

// freeze stops the drawing shortly after the source has passed its artifact on: by then several edges have pulsed.
const freeze = `new Promise((done) => document.addEventListener("fluxdemo:painted", (e) => {
	if (e.detail.kind !== "pulse" || e.detail.what !== "artifact" || !e.detail.count) return;
	document.getAnimations().forEach((a) => { a.pause(); a.currentTime = a.effect.getComputedTiming().duration * 0.3; });
	done(true);
}))`

func main() {
	program := flag.String("fluxdemo", "bin/fluxdemo", "the program")
	bundle := flag.String("bundle", "build/bundle", "folder of the bundle")
	out := flag.String("o", "docs/stage.png", "picture to write")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := take(ctx, *program, *bundle, *out); err != nil {
		fmt.Fprintf(os.Stderr, "picture: %v\n", err)
		os.Exit(1)
	}
}

// demo is a cluster of its own, with a home of its own.
type demo struct {
	program string
	dir     string
	env     []string
}

func take(ctx context.Context, program, bundle, out string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "fluxdemo-picture-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d := &demo{dir: dir}
	if d.program, err = filepath.Abs(program); err != nil {
		return err
	}
	if bundle, err = filepath.Abs(bundle); err != nil {
		return err
	}
	d.env = environ.Base(os.Environ()).With("HOME", dir).With("XDG_STATE_HOME", filepath.Join(dir, "state")).
		With("XDG_CACHE_HOME", filepath.Join(dir, "cache")).With("FLUXDEMO_BUNDLE", bundle).With("FLUXDEMO_NAME", "picture")
	defer func() {
		err = errors.Join(err, d.run(context.WithoutCancel(ctx), d.program, "down"))
	}()
	fleet := filepath.Join(dir, "fleet")
	for _, args := range [][]string{{"up", "--cluster", "embedded"}, {"clone", fleet}} {
		if err := d.run(ctx, d.program, args...); err != nil {
			return err
		}
	}
	address, end, err := d.present(ctx)
	if err != nil {
		return err
	}
	defer end()
	tab, stop, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := chromedp.Do(tab, chromedp.EmulateViewport(1280, 720)); err != nil {
		return err
	}
	if err := chromedp.Do(tab, chromedp.Navigate(address)); err != nil {
		return fmt.Errorf("opening %s: %w", address, err)
	}
	if _, err := chromedp.Run(tab, chromedp.Poll[bool](`document.documentElement.dataset.ready === "true"`)); err != nil {
		return fmt.Errorf("waiting for the deck: %w", err)
	}
	if err := d.run(ctx, d.program, "goto", slide); err != nil {
		return err
	}
	if _, err := chromedp.Run(tab, chromedp.Poll[bool](`location.hash.includes("`+slide+`") && !!document.querySelector(".present .node.live")`)); err != nil {
		return fmt.Errorf("waiting for the slide: %w", err)
	}
	if _, err := chromedp.Run(tab, chromedp.Evaluate[bool](`(window.frozen = false, `+freeze+`.then(() => { window.frozen = true }), true)`)); err != nil {
		return fmt.Errorf("listening to the page: %w", err)
	}
	if err := d.push(ctx, fleet); err != nil {
		return err
	}
	if _, err := chromedp.Run(tab, chromedp.Poll[bool](`window.frozen`)); err != nil {
		return fmt.Errorf("waiting for the pulse of the artifact: %w", err)
	}
	png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("taking the picture: %w", err)
	}
	return os.WriteFile(out, png, 0o644)
}

// push changes the app's colour in a clone of the fleet, and pushes that.
func (d *demo) push(ctx context.Context, fleet string) error {
	file := filepath.Join(fleet, "apps/demo/app/app.env")
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(raw), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "COLOR=") {
			lines[i] = "COLOR=tomato"
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		return err
	}
	if err := d.run(ctx, "git", "-C", fleet, "-c", "user.name=Dana", "-c", "user.email=dana@example.org", "commit", "-qam", "Make it red"); err != nil {
		return err
	}
	return d.run(ctx, "git", "-C", fleet, "push", "-q")
}

// run runs a command to its end, with what it prints as the error's text.
func (d *demo) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = d.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}

// present starts the stage and returns the audience's address. end stops it.
func (d *demo) present(ctx context.Context) (address string, end func(), err error) {
	cmd := exec.CommandContext(ctx, d.program, "present", "basics")
	cmd.Env = d.env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt) // may have ended
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "Audience:"); ok {
			go io.Copy(io.Discard, stdout) //nolint:errcheck // until the process ends
			return strings.TrimSpace(rest), end, nil
		}
	}
	end()
	return "", nil, errors.New("fluxdemo present printed no address")
}
