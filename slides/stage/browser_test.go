package stage

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/slides/browser"
)

// Deadlines, long for a machine on which several builds run beside the tests.
const (
	pageTime    = 30 * time.Second
	browserTime = 5 * time.Minute
)

// newBrowser starts one browser for a test.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	tab, stop, err := browser.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return tab
}

// tab is a page in the browser. What goes wrong on it fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	wrongs []string
	may    []string // what may go wrong
}

// newTab opens a page in a profile of its own: as in a browser of its own, with connections of its own.
func newTab(t *testing.T, b context.Context, may ...string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, may: may}
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

func (p *tab) listen(ev any) {
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

// do runs actions that have to work.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTime)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// get evaluates an expression on the page.
func get[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTime)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression is true on the page.
func (p *tab) await(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTime)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression)); err != nil {
		p.t.Fatalf("never true on the page: %s: %v\n%s", expression, err, get[string](p, "document.body.innerText"))
	}
}

// open goes to an address and waits until what is shown there is drawn.
func (p *tab) open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
	p.await(ready)
}

// turn follows a link within the page, and waits until what is shown there is drawn.
func (p *tab) turn(hash string) {
	p.t.Helper()
	get[bool](p, `(document.documentElement.dataset.ready = "false", location.hash = `+quote(hash)+`, true)`)
	p.await(ready)
}

const ready = `document.documentElement.dataset.ready === "true"`

// title is the heading that is on the screen.
const title = `[...document.querySelectorAll(".room .slides > section.present :is(h1,h2)")].map(h => h.textContent).join()`

// awaitTitle waits until a slide is on the screen.
func (p *tab) awaitTitle(want string) {
	p.t.Helper()
	p.await(title + ` === ` + quote(want))
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
