package stage

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/slides/browser/browsertest"
	"github.com/fluxdemo/fluxdemo/slides/deck"
)

// TestLooks turns to each slide of each deck: on projectors and on a phone, light and dark. Every diagram is drawn,
// nothing is cut off, and all text stands out from its ground.
func TestLooks(t *testing.T) {
	files, err := filepath.Glob("../decks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, beside := range []string{"../../..", "../../../.."} { // real decks, beside the repository or its worktrees
		more, err := filepath.Glob(filepath.Join(beside, "shared", "decks", "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	files = append(files, "testdata/everything.md")
	for _, file := range files {
		name := strings.Trim(strings.NewReplacer("/", "-", "..", "", ".md", "").Replace(file), "-")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looks(t, file, name)
		})
	}
}

// looks opens a deck once in each size, and audits each slide in all themes, which the key changes: a diagram is not
// drawn again for that.
func looks(t *testing.T, file, name string) {
	srv := show(t, file)
	d, err := deck.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int64{{1920, 1080}, {1280, 720}, {390, 844}} {
		p := newTab(t, "404") // an image may be missing
		p.Do(chromedp.EmulateViewport(size[0], size[1]))
		p.Open(srv.url + "?static&theme=light")
		for i := range d.Slides {
			s := &d.Slides[i]
			p.turn(fmt.Sprintf("#/%s/%d", s.ID, s.Waits))
			if n := browsertest.Get[int](p.Tab, `document.querySelectorAll(".present figure.diagram.drawn svg").length`); n != len(s.Diagrams) {
				t.Errorf("%s %dx%d: %d of %d diagrams are drawn", s.ID, size[0], size[1], n, len(s.Diagrams))
			}
			for _, theme := range []string{"light", "dark", "contrast"} {
				at := fmt.Sprintf("%s %dx%d %s", s.ID, size[0], size[1], theme)
				if is := browsertest.Get[string](p.Tab, "document.documentElement.dataset.theme"); is != theme {
					t.Fatalf("%s: the theme is %s", at, is)
				}
				for _, wrong := range browsertest.Get[[]string](p.Tab, audit) {
					t.Errorf("%s: %s", at, wrong)
				}
				p.Shot(fmt.Sprintf("%s-%dx%d-%s-%02d", name, size[0], size[1], theme, i+1))
				p.Do(chromedp.KeyEvent("t")) // the next theme
			}
		}
	}
}

// audit lists what is wrong with the slide on the screen: what is cut off by the page, by the screen or by its own box,
// and text with less contrast than WCAG's AA asks for.
const audit = `(() => {
	const wrong = [];
	const page = document.querySelector(".present .page");
	if (page.scrollHeight > page.clientHeight + 2 || page.scrollWidth > page.clientWidth + 2)
		wrong.push("more than the page holds: " + page.scrollWidth + "x" + page.scrollHeight + " in " + page.clientWidth + "x" + page.clientHeight);
	const box = page.getBoundingClientRect();
	const rgb = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 || m[3] > 0 ? m : null; };
	const light = (c) => {
		const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ground = (e) => {
		const shape = e.closest("g.node")?.querySelector("rect, circle, ellipse, polygon, path");
		if (shape && rgb(getComputedStyle(shape).fill)) return rgb(getComputedStyle(shape).fill);
		for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c) return c; }
		return [255, 255, 255];
	};
	const walker = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
	for (let n; (n = walker.nextNode()); ) {
		const text = n.data.trim(), e = n.parentElement;
		if (!text || e.closest("style, script")) continue;
		const range = document.createRange();
		range.selectNodeContents(n);
		for (const r of range.getClientRects()) {
			if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1) { wrong.push("cut off: " + text); break; }
			if (r.left < -1 || r.right > innerWidth + 1 || r.top < -1 || r.bottom > innerHeight + 1) { wrong.push("off the screen: " + text); break; }
		}
		const style = getComputedStyle(e);
		const fore = e.namespaceURI.endsWith("svg") && e.tagName !== "foreignObject" ? rgb(style.fill) : rgb(style.color);
		const back = ground(e);
		if (!fore) continue;
		const [a, b] = [light(fore), light(back)];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const big = parseFloat(style.fontSize) >= 24;
		if (ratio < (big ? 3 : 4.5)) wrong.push("contrast " + ratio.toFixed(1) + ": " + text + " " + fore + " on " + back);
	}
	return [...new Set(wrong)];
})()`

// TestReady makes sure that a missing diagram does not keep a page from being ready.
func TestReady(t *testing.T) {
	srv := show(t, write(t, "# Talk\n\n# Broken\n\n```mermaid\nflowchart LR\n  A --> \n```\n\n# Fine\n\n```mermaid\nflowchart LR\n  A[Git] --> B[Flux]\n```\n"))
	p := newTab(t)
	p.Open(srv.url + "?static#/broken")
	if text := browsertest.Get[string](p.Tab, `document.querySelector(".present figure.broken").innerText`); !strings.Contains(text, "cannot draw this diagram") || !strings.Contains(text, "A -->") {
		t.Errorf("no error, or no source: %q", text)
	}
	p.turn("#/fine")
	p.Await(`document.querySelectorAll(".present g.node.live").length === 2`)
}
