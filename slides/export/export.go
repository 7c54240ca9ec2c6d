// Package export turns a deck into files that show it without a server: a PDF with a page a slide, and a picture a
// slide. It opens the deck's static pages in headless Chromium, so that what is exported is what an audience sees.
package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/slides/browser"
	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/stage"
)

// A slide's size in pixels of CSS, as the web app's print view has it, and how many times as large its picture is.
const (
	width, height = 1280, 720
	pictureScale  = 1.5 // 1920 by 1080
)

// Deadlines. A slide takes milliseconds; most of the time goes into starting the browser.
const (
	startTime = time.Minute
	slideTime = 5 * time.Second
)

// Options says how the deck looks.
type Options struct {
	Theme string                  // light, dark or contrast; "" for what the deck says
	Done  func(slide, slides int) // called after each picture; may be nil
}

// PDF writes the deck to file, a slide a page, waits flattened. The file is replaced at once, or not at all. It fails
// with browser.ErrNone without Chromium, and with web.ErrNotBuilt without the web app.
func PDF(ctx context.Context, d *deck.Deck, o Options, file string) error {
	return printed(ctx, d, o, func(ctx context.Context) error {
		yes := true
		out, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (page.PrintToPDFResult, error) {
			return cdp.Call(ctx, t, page.PrintToPDF, page.PrintToPDFParams{
				PrintBackground: &yes, PreferCSSPageSize: &yes, GenerateTaggedPDF: &yes, GenerateDocumentOutline: &yes,
			})
		})
		if err != nil {
			return fmt.Errorf("printing the deck: %w", err)
		}
		return write(file, out.Data)
	})
}

// PNG writes a picture of 1920 by 1080 pixels for each slide into dir, which is made if it is not there: 01.png and so
// on, waits flattened. It returns their paths in the order of the slides, and fails as PDF does.
func PNG(ctx context.Context, d *deck.Deck, o Options, dir string) (files []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the folder for the pictures: %w", err)
	}
	digits := max(2, len(fmt.Sprint(len(d.Slides))))
	err = printed(ctx, d, o, func(ctx context.Context) error {
		for i := range d.Slides {
			yes := true
			clip := page.Viewport{Y: float64(i * height), Width: width, Height: height, Scale: pictureScale}
			out, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (page.CaptureScreenshotResult, error) {
				return cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{Clip: &clip, CaptureBeyondViewport: &yes})
			})
			if err != nil {
				return fmt.Errorf("capturing slide %d: %w", i+1, err)
			}
			file := filepath.Join(dir, fmt.Sprintf("%0*d.png", digits, i+1))
			if err := write(file, out.Data); err != nil {
				return err
			}
			files = append(files, file)
			if o.Done != nil {
				o.Done(i+1, len(d.Slides))
			}
		}
		return nil
	})
	return files, err
}

// printed opens the deck's print view and calls use when all of it is drawn.
func printed(ctx context.Context, d *deck.Deck, o Options, use func(ctx context.Context) error) error {
	limit := startTime + time.Duration(len(d.Slides))*slideTime
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done after %s", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "fluxdemo-export-")
	if err != nil {
		return fmt.Errorf("creating a folder for the deck's pages: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := stage.Static(d, dir); err != nil {
		return err
	}
	tab, stop, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	query := url.Values{"view": {"print"}}
	if o.Theme != "" {
		query.Set("theme", o.Theme)
	}
	address := url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(dir, "index.html")), RawQuery: query.Encode()}
	if err := chromedp.Do(tab, chromedp.EmulateViewport(width, height), chromedp.Navigate(address.String())); err != nil {
		return fmt.Errorf("opening the deck's pages: %w", cause(ctx, err))
	}
	// The page says itself when every diagram has been drawn, or has shown why it cannot be.
	if _, err := chromedp.Run(tab, chromedp.Poll[bool](`document.documentElement.dataset.ready === "true"`)); err != nil {
		return fmt.Errorf("waiting for the deck's diagrams: %w", cause(ctx, err))
	}
	if err := use(tab); err != nil {
		return cause(ctx, err)
	}
	return nil
}

// cause prefers what ended ctx to what came of that.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

// write replaces a file at once.
func write(file string, content []byte) error {
	if len(bytes.TrimSpace(content)) == 0 {
		return fmt.Errorf("writing %s: the browser returned no data", file)
	}
	if err := statefile.Write(file, content, 0o644); err != nil {
		return fmt.Errorf("writing the export: %w", err)
	}
	return nil
}
