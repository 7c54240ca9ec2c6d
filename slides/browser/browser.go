// Package browser runs headless Chromium, for the export of decks and for tests. It uses the installed one with its own
// profile, and blocks the browser's own connections.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
)

// ErrNone says that there is no browser on this machine.
var ErrNone = errors.New("no Chromium found; install chromium, or set $CHROMIUM to its path")

// Find returns the path of Chromium or of a browser that is made from it: what $CHROMIUM says, else what is on PATH.
// It fails with ErrNone.
func Find() (string, error) {
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNone
}

// Start runs a browser and returns a context for chromedp's actions on its first tab. stop ends the browser and
// removes its profile.
func Start(ctx context.Context) (tab context.Context, stop func(), err error) {
	path, err := Find()
	if err != nil {
		return nil, nil, err
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.DisableGPU)
	if os.Getuid() == 0 {
		flags = append(flags, chromedp.NoSandbox) // Chromium's sandbox does not work for root
	}
	// Beside its profile a browser writes into several of its user's folders, which may not even be writable.
	home, err := os.MkdirTemp("", "fluxdemo-browser-")
	if err != nil {
		return nil, nil, fmt.Errorf("creating a folder for the browser: %w", err)
	}
	flags = append(flags, chromedp.NoInheritEnv, chromedp.Env(environ.Browser(os.Environ(), home)...))
	all, endAll := chromedp.NewExecAllocator(ctx, flags...)
	tab, endTab := chromedp.NewContext(all)
	stop = func() { endTab(); endAll(); os.RemoveAll(home) }
	if err := chromedp.Do(tab); err != nil {
		stop()
		return nil, nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return tab, stop, nil
}
