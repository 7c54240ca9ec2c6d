package stage

import (
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/slides/browser/browsertest"
)

// shared is the one browser of the tests.
var shared browsertest.Browser

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// tab is a page in the browser.
type tab struct{ *browsertest.Tab }

func newTab(t *testing.T, may ...string) tab {
	t.Helper()
	return tab{shared.Tab(t, may...)}
}

// hurry makes the timers of pages that are opened from now on run ten times as fast.
func (p tab) hurry() {
	p.T.Helper()
	const script = `{ const slow = window.setTimeout; window.setTimeout = (f, ms, ...a) => slow(f, ms / 10, ...a); }`
	params := page.AddScriptToEvaluateOnNewDocumentParams{Source: script}
	if _, err := chromedp.Call(p.Context(), page.AddScriptToEvaluateOnNewDocument, params); err != nil {
		p.T.Fatal(err)
	}
}

// turn follows a link within the page, and waits until what is shown there is drawn.
func (p tab) turn(hash string) {
	p.T.Helper()
	browsertest.Get[bool](p.Tab, `(document.documentElement.dataset.ready = "false", location.hash = `+quote(hash)+`, true)`)
	p.Await(browsertest.Ready)
}

// title is the heading that is on the screen.
const title = `[...document.querySelectorAll(".room .slides > section.present :is(h1,h2)")].map(h => h.textContent).join()`

// awaitTitle waits until a slide is on the screen.
func (p tab) awaitTitle(want string) {
	p.T.Helper()
	p.Await(title + ` === ` + quote(want))
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
