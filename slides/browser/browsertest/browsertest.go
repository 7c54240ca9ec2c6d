// Package browsertest opens pages for tests in one browser, which the tests of a package share. It fails a test when
// something goes wrong on its page, and says then what stands there.
package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/slides/browser"
)

const (
	// Patience is how long a page may take: long, for a machine on which several builds run beside the tests.
	Patience = 2 * time.Minute
	// Ready is an expression that is true once a page of fluxdemo is drawn.
	Ready = `document.documentElement.dataset.ready === "true"`
	// ShotsVar names a folder for pictures of what the tests see; none are made without it.
	ShotsVar = "FLUXDEMO_SHOTS"
)

// Browser is the browser that tests share: to start one takes longer than most of them. It starts with the first tab.
type Browser struct {
	start sync.Once
	tab   context.Context
	stop  func()
	err   error
}

// Run runs the tests of a package for its TestMain, ends the browser, and returns the exit code.
func (b *Browser) Run(m *testing.M) int {
	code := m.Run()
	if b.stop != nil {
		b.stop()
	}
	return code
}

// Tab is a page in the browser. What goes wrong on it fails the test.
type Tab struct {
	T   *testing.T      // the test that it belongs to
	ctx context.Context // names the page: chromedp knows no other handle

	mu     sync.Mutex
	wrongs []string
	may    []string // what may go wrong
}

// Tab opens a page in a profile of its own: as in a browser of its own, with connections of its own. may are parts of
// what may go wrong on it. With -short, Tab skips the test.
func (b *Browser) Tab(t *testing.T, may ...string) *Tab {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	b.start.Do(func() { b.tab, b.stop, b.err = browser.Start(context.Background()) })
	if b.err != nil {
		t.Fatal(b.err)
	}
	ctx, cancel := chromedp.NewContext(b.tab, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &Tab{T: t, ctx: ctx, may: may}
	if err := chromedp.Listen(ctx, p.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, wrong := range p.wrongs {
			t.Errorf("on the page: %s", wrong)
		}
	})
	return p
}

func (p *Tab) listen(ev any) {
	var text string
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		text = ev.ExceptionDetails.Text
		if e := ev.ExceptionDetails.Exception; e != nil {
			text += " " + e.Description
		}
	case *log.EventEntryAdded:
		if ev.Entry.Level == log.EntryLevelError {
			text = ev.Entry.Text + " " + ev.Entry.URL
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ok := range p.may {
		if strings.Contains(text, ok) {
			return
		}
	}
	if text != "" {
		p.wrongs = append(p.wrongs, text)
	}
}

// Context returns the context for chromedp's calls on the page.
func (p *Tab) Context() context.Context { return p.ctx }

// Do runs actions that have to work.
func (p *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.T.Fatal(err)
	}
}

// Get evaluates an expression on the page.
func Get[T any](p *Tab, expression string) T {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.T.Fatalf("%s: %v", expression, err)
	}
	return v
}

// Await waits until an expression is true on the page.
func (p *Tab) Await(expression string) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		p.Shot(strings.ReplaceAll(p.T.Name(), "/", "-") + "-failed")
		p.T.Fatalf("never true on the page: %s: %v\n%s", expression, err, Get[string](p, "document.body.innerText"))
	}
}

// Open goes to an address, and waits until the page there is drawn.
func (p *Tab) Open(url string) {
	p.T.Helper()
	p.Do(chromedp.Navigate(url))
	p.Await(Ready)
}

// Shot takes a picture, if there is a folder for it.
func (p *Tab) Shot(name string) {
	p.T.Helper()
	dir := os.Getenv(ShotsVar)
	if dir == "" {
		return
	}
	raw, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), raw, 0o644)
	}
	if err != nil {
		p.T.Error(err)
	}
}
