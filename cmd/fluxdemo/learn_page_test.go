package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/slides/browser"
)

// TestLearnPage does the first steps of a walk on the page for learners: in its terminal, and with its buttons.
func TestLearnPage(t *testing.T) {
	d := quietDemo(t)
	t.Cleanup(func() { d.must(t, "reset") })
	ctx, cancel := context.WithTimeout(t.Context(), 3*commandTime)
	defer cancel()
	address := served(ctx, t, d, "Page:", "learn", "gitops", "--no-open")
	_, token, _ := strings.Cut(address, "#token=")
	if len(token) != 22 {
		t.Fatalf("no token in the address")
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if raw, _ := os.ReadFile(file); strings.Contains(string(raw), token) {
			t.Errorf("%s has the token", file)
		}
	}
	page := watchPage(ctx, t, address)
	see := func(expression string) {
		t.Helper()
		limit, cancel := context.WithTimeout(page, commandTime)
		defer cancel()
		if _, err := chromedp.Run(limit, chromedp.Poll[bool](expression)); err != nil {
			text, _ := chromedp.Run(page, chromedp.Evaluate[string]("document.body.innerText"))
			t.Fatalf("never %s: %v\n%s", expression, err, text)
		}
	}
	line := func(want string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".xterm-rows > div")].some((row) => row.textContent.trimEnd().startsWith(%q))`, want)
	}
	enter := func(text string) {
		t.Helper()
		if err := chromedp.Do(page, browser.Type(text+"\r")); err != nil {
			t.Fatal(err)
		}
	}
	const step = `parseInt(document.querySelector("h2").innerText)`
	at := func() int {
		t.Helper()
		n, err := chromedp.Run(page, chromedp.Evaluate[int](step))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	see(step + " >= 1")
	see(`[...document.querySelectorAll(".map g.node.live")].some((n) => n.dataset.status === "ready")`)
	see(line("gitops $"))
	enter(`test "$FLUXDEMO_NAME" = ` + d.name + ` && kubectl get ns app -o name; ls | wc -l`)
	see(line("namespace/app"))
	see(line("0"))
	before := at()
	enter("fluxdemo solve")
	see(fmt.Sprintf("%s > %d", step, before))
	for range 2 {
		before = at()
		see(`(() => {
			const b = [...document.querySelectorAll(".task-buttons button")].find((b) => /^(Next|Solve)/.test(b.textContent) && !b.hidden && b.ariaDisabled !== "true");
			b?.click();
			return b !== undefined;
		})()`)
		see(fmt.Sprintf("%s > %d", step, before))
	}
	see(`document.querySelector(".trouble").hidden`)
}
