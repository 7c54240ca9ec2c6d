package learn

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/slides/browser"
	"github.com/fluxdemo/fluxdemo/slides/browser/browsertest"
)

// shared is the one browser of the tests.
var shared browsertest.Browser

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// tab is a page in the browser.
type tab struct{ *browsertest.Tab }

func newTab(t *testing.T, may ...string) tab {
	t.Helper()
	p := tab{shared.Tab(t, may...)}
	p.Do(chromedp.EmulateViewport(1280, 720))
	return p
}

// open goes to the page, and waits until it is drawn.
func (p tab) open(f *fixture, query string) {
	p.T.Helper()
	p.Open(f.url + query + "#token=" + f.Token())
}

// typed types into what has the focus.
func (p tab) typed(text string) {
	p.T.Helper()
	p.Do(browser.Type(text))
}

// press clicks a button of the task.
func (p tab) press(label string) {
	p.T.Helper()
	p.Await(fmt.Sprintf(`(() => {
		const b = [...document.querySelectorAll(".task-buttons button")].find((b) => b.textContent.startsWith(%q) && !b.hidden && b.ariaDisabled !== "true");
		if (b) b.click();
		return b !== undefined;
	})()`, label))
}

// screen waits for a line on the terminal.
func (p tab) screen(line string) {
	p.T.Helper()
	p.Await(fmt.Sprintf(`[...document.querySelectorAll(".xterm-rows > div")].some((row) => row.textContent.trimEnd() === %q)`, line))
}

func (p tab) text(selector, want string) {
	p.T.Helper()
	p.Await(fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, selector, want))
}

// news is a cluster that says what a test wants.
type news struct{ events chan live.Event }

func (n *news) Subscribe(context.Context) ([]live.State, <-chan live.Event) {
	return []live.State{{Target: "git", Status: live.Ready, Since: time.Now()}}, n.events
}

func (n *news) Detail(_ context.Context, t binding.Target) (live.Detail, error) {
	if t == binding.Flux {
		return live.Detail{State: live.State{Target: t}, Parts: []live.State{{Target: "Deployment/flux-system/source-controller", Status: live.Ready}}}, nil
	}
	return live.Detail{State: live.State{Target: t}, YAML: "kind: Git\n", Log: []string{"a line"}}, nil
}

// TestPage does the walk in a browser, in the page's terminal.
func TestPage(t *testing.T) {
	n := &news{events: make(chan live.Event)}
	f := serveNote(t, func(o *Options) {
		o.Live, o.First, o.Links, o.Again = n, []string{"echo first"}, []Link{{"App", "http://127.0.0.1:1/app"}}, "fluxdemo learn note --name mine"
	})
	p := newTab(t)
	p.open(f, "?theme=light")
	if hash := browsertest.Get[string](p.Tab, "location.hash"); hash != "" {
		t.Errorf("the token stands in the address: %s", hash)
	}
	p.text("h2", "1/3 Write it")
	p.Await(`document.querySelector(".page-head .links a")?.href === "http://127.0.0.1:1/app"`)
	p.text(".task", "Write a note into note.txt.")
	p.text(".results", "✗ Not yet: there is a note")
	p.text(".results", "There is no note yet.")
	p.text(".results", "• there is a folder")
	p.Await(`document.querySelectorAll(".map g.node.live").length === 3`)
	p.Await(`document.querySelector(".map g.live[data-target=git]").dataset.status === "ready"`)

	// The terminal has the focus.
	p.screen(">")
	p.typed("echo $((6*7))\r")
	p.screen("42")
	p.Shot("learn-light")
	p.typed("x=$$; pwd\r")
	p.screen(f.mine)

	// A reload comes back to the same shell.
	p.Do(chromedp.Navigate(f.url + "?theme=dark"))
	p.screen("42")
	p.typed("test $x = $$ && echo the sa''me\r")
	p.screen("the same")
	p.Await(`document.querySelectorAll(".map g.node.live").length === 3`)
	p.Shot("learn-dark")

	// Another window shares it, with its own size.
	q := newTab(t)
	q.Do(chromedp.EmulateViewport(1600, 900))
	q.open(f, "")
	q.screen("the same")
	q.typed("echo from the ot''her\r")
	p.screen("from the other")

	// A pulse crosses an edge.
	n.events <- live.Event{Seen: time.Now(), Pulse: &binding.Pulse{From: binding.User, To: binding.Git, What: binding.Push}}
	p.Await(`document.querySelector(".map .crossed") !== null`)

	// By keyboard out of the terminal, to the buttons, and back.
	p.Do(chromedp.KeyEvent(kb.F6))
	if label := browsertest.Get[string](p.Tab, `document.activeElement.textContent`); label != "Check" {
		t.Errorf("F6 leads to %q", label)
	}
	p.Do(chromedp.KeyEvent(kb.Enter))
	p.text(".state", "Checked at")
	p.Do(chromedp.KeyEvent(kb.Tab)) // from a button that was busy, and kept the focus
	p.Await(`document.activeElement.textContent.startsWith("Hint") && document.activeElement.ariaDisabled !== "true"`)
	p.Do(chromedp.KeyEvent(kb.Enter))
	p.text(".hints", "A line in a file is enough.")
	p.press("Hint")
	p.text(".hints", "echo call > note.txt")
	p.Await(`document.querySelector(".hint:last-child").getBoundingClientRect().bottom <= innerHeight`)
	p.Shot("learn-hints")

	// The learner does it another way.
	p.Do(chromedp.KeyEvent(kb.F6))
	p.typed("echo mine > \"$WALK_DIR/note.txt\"\r")
	p.text("h2", "2/3 Read it")
	p.text(".before", "What is written down, others can read.")
	p.Shot("learn-done")
	browsertest.Get[bool](p.Tab, `(document.querySelector(".task .do button").click(), true)`)
	p.screen("cat: note.txt: No such file or directory") // it runs where the shell is
	p.press("Next")
	p.text("h2", "3/3 Sign it")
	p.press("Solve")
	p.text("h2", "All 3 steps are done")
	p.text(".output summary", "What fluxdemo ran")
	p.press("Back")
	p.text("h2", "3/3 Sign it")
	p.press("Reset")
	p.press("Solve")
	p.text("h2", "All 3 steps are done")
	p.Shot("learn-end")
	p.press("Clean up")
	p.text(".task", "Run fluxdemo learn note --name mine to do it again")

	// A flood leaves the page responsive. The terminal has the focus since a button ran a command there.
	p.typed("seq 300000; echo flo''oded\r")
	p.screen("flooded")

	for _, wrong := range browsertest.Get[[]string](p.Tab, `[...document.querySelectorAll("body, .page-head, .task, .side, .map, .shell")]
		.filter((e) => e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth + 1)
		.map((e) => e.className + " is wider than its place: " + e.scrollWidth + " in " + e.clientWidth)`) {
		t.Error(wrong)
	}
}

// TestDrawer opens a node that is an object, and one that has only parts: that one shows no tab without anything in it.
func TestDrawer(t *testing.T) {
	f := serveNote(t, func(o *Options) { o.Live, o.Shell = &news{events: make(chan live.Event)}, nil })
	p := newTab(t)
	p.open(f, "")
	click := func(selector string) {
		p.Await(fmt.Sprintf(`document.querySelector(%q)?.dispatchEvent(new MouseEvent("click", {bubbles: true})) !== undefined`, selector))
	}
	click("g.live[data-target=git]")
	p.text(".panel h3", "Git host")
	p.text(".panel .yaml", "kind: Git")
	click(".panel-tabs button:nth-child(4)")
	p.text(".panel .log", "a line")
	click("g.live[data-target=flux]")
	p.text(".panel-body", "source-controller")
	tabs := `[...document.querySelectorAll(".panel-tabs button")].filter((b) => !b.hidden).map((b) => b.textContent + b.ariaSelected).join()`
	if got := browsertest.Get[string](p.Tab, tabs); got != "Partstrue" {
		t.Errorf("tabs: %s", got)
	}
	p.Shot("learn-drawer")
	click("g.live[data-target=git]")
	p.text(".panel .log", "a line") // the choice stays
}

// TestForeignPage opens the page without the token.
func TestForeignPage(t *testing.T) {
	f := serveNote(t)
	p := newTab(t, "401", "WebSocket")
	p.Do(chromedp.Navigate(f.url))
	p.text(".fatal", "Open the whole address")
	p.Do(chromedp.Navigate(f.url + "?again#token=wrong"))
	p.text(".fatal", "has ended")
}

// TestGonePage says what to do when the server has ended: the next one is elsewhere.
func TestGonePage(t *testing.T) {
	f := serveNote(t)
	p := newTab(t, "WebSocket", "ERR_CONNECTION")
	p.open(f, "")
	p.text("h2", "1/3 Write it")
	f.closed()
	p.Await(`document.querySelector(".gone").hidden === false`)
	p.text(".gone", "open the address that it printed")
	p.Shot("learn-gone")
}

// TestPageWithoutTerminal says what to type first.
func TestPageWithoutTerminal(t *testing.T) {
	f := serveNote(t, func(o *Options) { o.Shell, o.First = nil, []string{`eval "$(fluxdemo env)"`, "cd there"} })
	p := newTab(t)
	p.open(f, "")
	p.text(".first", `eval "$(fluxdemo env)"`)
	p.text(".first", "cd there")
	if n := browsertest.Get[int](p.Tab, `document.querySelectorAll(".shell, .xterm").length`); n != 0 {
		t.Errorf("there are %d terminals", n)
	}
	p.Shot("learn-no-terminal")
}

// TestFollow says how a clone follows after a step was undone, and runs that in the terminal.
func TestFollow(t *testing.T) {
	f := serveNote(t, func(o *Options) { o.Session = inFleet{o.Session} })
	p := newTab(t)
	p.open(f, "")
	p.text(".results", "✗ Not yet: there is a note")
	p.screen(">")
	p.press("Reset")
	p.text(".follow", "Update your clone")
	p.text(".follow .do pre", "git fetch && git reset --hard origin/main")
	p.Shot("learn-follow")
	browsertest.Get[bool](p.Tab, `(document.querySelector(".follow .do button").click(), true)`)
	p.screen("fatal: not a git repository (or any of the parent directories): .git") // it runs where the shell is
}
