package stage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/slides/browser/browsertest"
)

const talkText = "# Talk\n\nallotted-time\n:   2m\n\n# One\n\n* a\n* {::wait/}b\n\n## Note\n\nSay it slowly.\n\n# Two\n\n```mermaid\nflowchart LR\n  A[User] --> B[Git] --> C[GitRepository]\n```\n\n# Three\n"

// TestInSync sends commands from several browsers and a shell: all browsers follow, and only a client with the token
// moves the talk.
func TestInSync(t *testing.T) {
	srv := show(t, write(t, talkText))
	watcher, presenter := newTab(t), newTab(t)
	watcher.Open(srv.url)
	presenter.Open(srv.url + "presenter#token=" + srv.Token())
	if hash := browsertest.Get[string](presenter.Tab, "location.hash"); strings.Contains(hash, "token") {
		t.Errorf("the token stands in the address: %s", hash)
	}
	keys := func(p tab, keys ...string) {
		t.Helper()
		for _, k := range keys {
			p.Do(chromedp.KeyEvent(k))
		}
	}
	keys(presenter, kb.PageDown)
	watcher.awaitTitle("One")
	keys(presenter, kb.ArrowRight)
	watcher.Await(`document.querySelectorAll(".present .fragment.visible").length === 1 && location.hash === "#/one/1"`)
	presenter.Await(`document.querySelector(".notes").innerText.includes("Say it slowly")`)
	keys(presenter, kb.PageUp, kb.PageUp)
	watcher.awaitTitle("Talk")
	keys(presenter, "3", kb.Enter)
	watcher.awaitTitle("Two")
	keys(watcher, kb.PageDown, kb.ArrowRight, " ") // nothing happens: it has no token
	record := &Record{URL: strings.TrimSuffix(srv.url, "/"), Token: srv.Token()}
	answer, err := record.Next(t.Context())
	if err != nil || answer.Position.ID != "three" {
		t.Fatalf("next from a shell: %+v, %v", answer, err)
	}
	watcher.awaitTitle("Three")
	presenter.awaitTitle("Three")
	if answer, err = record.GoTo(t.Context(), "One", 0); err != nil || answer.Position.Fragment != 0 {
		t.Errorf("goto: %+v, %v", answer, err)
	}
	watcher.Await(`location.hash === "#/one/1"`)
	var wrong *RequestError
	if _, err = record.GoTo(t.Context(), "nowhere", -1); !errors.As(err, &wrong) {
		t.Errorf("goto nowhere: %v", err)
	}

	// A link shows another slide, until the presenter moves on.
	watcher.turn("#/two")
	watcher.awaitTitle("Two")
	watcher.Await(`!document.querySelector(".astray").hidden`)
	keys(presenter, kb.End)
	watcher.awaitTitle("Three")
	watcher.Await(`document.querySelector(".astray").hidden`)

	// An edit shows at once, and all browsers keep their position.
	edited := strings.Replace(talkText, "# Three\n", "# Another one\n\n# Three\n\nNow with *words*.\n", 1)
	if err := os.WriteFile(srv.o.Deck+".new", []byte(strings.Replace(edited, "# One", "# Zero\n\n# One", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(srv.o.Deck+".new", srv.o.Deck); err != nil {
		t.Fatal(err)
	}
	watcher.Await(`document.querySelector(".present .page")?.innerText.includes("Now with words")`)
	presenter.awaitTitle("Three")
	if p := srv.Position(); p.ID != "three" || p.Slide != 5 {
		t.Errorf("the position is %+v", p)
	}
}

// TestTouch swipes.
func TestTouch(t *testing.T) {
	srv := show(t, write(t, talkText))
	p := newTab(t)
	p.Do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
	p.Open(srv.url + "presenter#token=" + srv.Token())
	swipe := func(from, to int) {
		browsertest.Get[bool](p.Tab, fmt.Sprintf(`(() => {
			const at = (x) => new Touch({ identifier: 1, target: document.querySelector(".room"), clientX: x, clientY: 200 });
			const fire = (type, x, all) => document.querySelector(".room").dispatchEvent(
				new TouchEvent(type, { bubbles: true, touches: all ? [at(x)] : [], changedTouches: [at(x)] }));
			fire("touchstart", %d, true); fire("touchend", %d, false); return true; })()`, from, to))
	}
	swipe(300, 100)
	p.awaitTitle("One")
	swipe(100, 300)
	p.awaitTitle("Talk")
	browsertest.Get[bool](p.Tab, `(() => {
		const b = document.querySelector(".steer button:last-child"), r = b.getBoundingClientRect();
		if (document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2) !== b) throw new Error("the button is covered");
		b.click();
		return true;
	})()`)
	p.awaitTitle("One")
}

// TestRestart kills the server's end and starts another one: browsers are back at their slide by themselves.
func TestRestart(t *testing.T) {
	file := write(t, talkText)
	var kept Kept
	var mu sync.Mutex
	keep := func(o *Options) {
		o.Token = "the same token again"
		o.Keep = func(k Kept) error {
			mu.Lock()
			defer mu.Unlock()
			kept = k
			return nil
		}
	}
	srv := show(t, file, keep)
	p := newTab(t, "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
	p.Open(srv.url)
	if err := srv.GoTo("one", 0); err != nil {
		t.Fatal(err)
	}
	p.Await(`location.hash === "#/one/1"`)
	srv.closed()
	p.Await(`document.body.classList.contains("away")`)
	ln, err := net.Listen("tcp", strings.TrimSuffix(strings.TrimPrefix(srv.url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	again := showAt(t, ln, file, keep, func(o *Options) { o.From = &kept })
	p.Await(`!document.body.classList.contains("away") && document.querySelectorAll(".present .fragment.visible").length === 1`)
	if m, _ := again.hello(); m.Position.ID != "one" || m.Position.Started == 0 {
		t.Errorf("the new stage is at %+v", m.Position)
	}
	if _, err := again.Next(); err != nil {
		t.Fatal(err)
	}
	p.awaitTitle("Two")
}

// news is a cluster that says what a test wants.
type news struct {
	states []live.State
	events chan live.Event
}

func (n *news) Subscribe(context.Context) ([]live.State, <-chan live.Event) {
	return n.states, n.events
}

func (n *news) Detail(_ context.Context, t binding.Target) (live.Detail, error) {
	return live.Detail{State: live.State{Target: t}, YAML: "kind: GitRepository\n", Conditions: []live.Condition{{Type: "Ready", Status: "True"}}, Log: []string{"a line"}}, nil
}

const repository binding.Target = "GitRepository/flux-system/flux-system"

// TestManyBrowsers has 20 browsers on a stage on which a thousand things happen. All are up to date at the end, and
// neither the server nor a page has grown.
func TestManyBrowsers(t *testing.T) {
	n := &news{events: make(chan live.Event)}
	srv := show(t, write(t, talkText), func(o *Options) { o.Live = n; o.Defaults = binding.DemoDefaults() })
	if err := srv.GoTo("two", -1); err != nil {
		t.Fatal(err)
	}
	const browsers, events = 20, 1000
	var tabs []tab
	for range browsers {
		p := newTab(t)
		p.Do(chromedp.Navigate(srv.url))
		tabs = append(tabs, p)
	}
	for _, p := range tabs { // they draw at the same time
		p.Await(browsertest.Ready)
	}
	burst := func(from int) {
		for i := from; i < from+events; i++ {
			now := time.Now()
			if i%2 == 0 {
				n.events <- live.Event{Seen: now, Pulse: &binding.Pulse{From: binding.Git, To: repository, What: binding.Fetch}}
				continue
			}
			status := live.Working
			if i%4 == 3 {
				status = live.Ready
			}
			n.events <- live.Event{Seen: now, State: &live.State{Target: repository, Status: status, Revision: fmt.Sprint("main@sha1:", i)}}
		}
		last := fmt.Sprint("main@sha1:", from+events-1)
		for _, p := range tabs {
			p.Await(`[...document.querySelectorAll(".present g.live")].some(g => g.dataset.revision === ` + quote(last) + ` && g.dataset.status === "ready")`)
			p.Await(`document.querySelectorAll(".parcel").length === 0`)
		}
	}
	size := func() (server uint64, page float64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		p := tabs[0]
		if _, err := chromedp.Call(p.Context(), heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			t.Fatal(err)
		}
		return m.HeapAlloc, browsertest.Get[float64](p.Tab, "performance.memory.usedJSHeapSize")
	}
	burst(0) // what is kept for those who come late is kept now
	server, page := size()
	burst(events)
	server2, page2 := size()
	t.Logf("server %.1f MB, then %.1f MB; page %.1f MB, then %.1f MB", mb(server), mb(server2), page/1e6, page2/1e6)
	if mb(server2) > mb(server)+2 {
		t.Errorf("the server has grown from %.1f MB to %.1f MB", mb(server), mb(server2))
	}
	if page2 > page+2e6 {
		t.Errorf("a page has grown from %.1f MB to %.1f MB", page/1e6, page2/1e6)
	}
}

func mb(bytes uint64) float64 { return float64(bytes) / 1e6 }

// TestPanel opens a node by mouse and by keyboard.
func TestPanel(t *testing.T) {
	p := newTab(t) // before the state: it shows how old it is
	n := &news{states: []live.State{{Target: repository, Status: live.Failed, Message: "no such branch", Revision: "main@sha1:0123456789abcdef", Since: time.Now().Add(-time.Minute)}}, events: make(chan live.Event)}
	srv := show(t, write(t, talkText), func(o *Options) { o.Live = n; o.Defaults = binding.DemoDefaults() })
	if err := srv.GoTo("two", -1); err != nil {
		t.Fatal(err)
	}
	p.Open(srv.url + "#token=" + srv.Token())
	const node = `g.live[data-target="GitRepository/flux-system/flux-system"]`
	p.Await(`document.querySelector('.present ` + node + `')?.dataset.status === "failed"`)
	browsertest.Get[bool](p.Tab, `(document.querySelector('.present `+node+`').dispatchEvent(new PointerEvent("pointerover", { bubbles: true })), true)`)
	tip := browsertest.Get[string](p.Tab, `document.querySelector(".tip").innerText`)
	for _, want := range []string{"Failed for 6", "main@sha1:0123456", "no such branch"} {
		if !strings.Contains(tip, want) {
			t.Errorf("no %q on hover: %q", want, tip)
		}
	}
	browsertest.Get[bool](p.Tab, `(document.querySelector('.present `+node+`').dispatchEvent(new MouseEvent("click", { bubbles: true })), true)`)
	p.Await(`document.querySelector(".panel .yaml")?.textContent === "kind: GitRepository\n"`)
	for tab, want := range map[string]string{"Conditions": "Ready", "Events": "No recent events", "Log": "a line"} {
		browsertest.Get[bool](p.Tab, `([...document.querySelectorAll(".panel-tabs button")].find(b => b.textContent === `+quote(tab)+`).click(), true)`)
		p.Await(`document.querySelector(".panel-body").innerText.includes(` + quote(want) + `)`)
	}
	p.Do(chromedp.KeyEvent(kb.Escape))
	p.Await(`document.querySelector(".panel").hidden`)

	// A page without the token says why it has no details, and asks for none.
	audience := newTab(t)
	audience.Open(srv.url)
	audience.Await(`document.querySelector('.present ` + node + `')?.dataset.status === "failed"`)
	browsertest.Get[bool](audience.Tab, `(document.querySelector('.present `+node+`').dispatchEvent(new MouseEvent("click", { bubbles: true })), true)`)
	audience.Await(`document.querySelector(".panel-body")?.innerText.includes("Only the presenter")`)
}

// TestBigDeck opens a deck of 300 slides.
func TestBigDeck(t *testing.T) {
	var text strings.Builder
	text.WriteString("# Big\n")
	for i := range 299 {
		fmt.Fprintf(&text, "\n# Slide %d\n\n* a\n* {::wait/}b\n\n```mermaid\nflowchart LR\n  A[User] --> B[Git] --> C[Flux]\n```\n", i)
	}
	file := write(t, text.String())
	srv := show(t, file)
	p := newTab(t)
	p.Open(srv.url) // and is ready when one diagram is drawn at the most, not 299; hack/bench says how fast
	if n, drawn := browsertest.Get[int](p.Tab, `document.querySelectorAll(".room .slides > section").length`), browsertest.Get[int](p.Tab, `document.querySelectorAll("figure.drawn").length`); n != 300 || drawn > 10 {
		t.Errorf("there are %d slides, and %d diagrams drawn when the first slide is", n, drawn)
	}
	p.turn("#/slide-298")
	p.awaitTitle("Slide 298")
}
