package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/slides/browser"
)

const gaDeck = `# How a push arrives

# The way
{: walk="ga"}

` + "```mermaid" + `
flowchart LR
  U((User)) --> G(Git) --> W(webhook) --> R(Receiver) --> S(GitRepository)
  G --> S --> K("Kustomization apps") --> C((Kubernetes))
` + "```" + `
{: bind-K="Kustomization/flux-system/apps"}

# That was it
`

// painted is what a page tells after the frame that shows something new.
type painted struct {
	Kind, Target, Status, Revision, From, To, What string
	Count                                          int
	After                                          float64 // milliseconds
}

// TestPresent runs a walk from slides, in a real browser: what is painted is what has truly happened, in its order.
func TestPresent(t *testing.T) {
	d := quietDemo(t)
	t.Cleanup(func() { d.must(t, "reset") })
	clone := liveClone(t, d)
	w := watchLive(t, d)
	deck := filepath.Join(d.work(), "ga.md")
	if err := os.WriteFile(deck, []byte(gaDeck), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*commandTime)
	defer cancel()
	page := watchPage(ctx, t, present(ctx, t, d, deck))
	evaluate := func(expression string) []painted {
		t.Helper()
		all, err := chromedp.Run(page, chromedp.Evaluate[[]painted](expression))
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		return all
	}
	evaluate(`(window.painted = [], document.addEventListener("fluxdemo:painted", (e) => painted.push(e.detail)), painted)`)

	mark := w.mark()
	steps := 0
	for place := ""; !strings.HasPrefix(place, "3/3"); steps++ {
		if steps > 20 {
			t.Fatalf("after %d times next it is at %s", steps, place)
		}
		place = d.must(t, "next")
	}
	if steps != 9 { // to the slide, the seven steps of the walk, and on
		t.Errorf("%d times next", steps)
	}
	d.git(t, clone, "pull", "-q", "--ff-only")
	last := recolour(t, d, clone, "teal")
	happened := w.settled(mark, last)
	shown := pulses(happened, func(binding.Pulse) bool { return true })
	if _, err := chromedp.Run(page, chromedp.Poll[bool](fmt.Sprintf(`painted.filter((t) => t.kind === "pulse").length >= %d`, len(shown)))); err != nil {
		t.Errorf("not all of the %d pulses are painted: %v", len(shown), err)
	}
	seen := evaluate("painted")

	// What crossed each edge, and the states of each object: the browser and the watch see the same.
	ways, states := map[string][]string{}, map[string][]string{}
	for _, p := range shown {
		way := fmt.Sprintf("%s %s>%s", p.What, p.From, p.To)
		ways[way] = append(ways[way], p.Revision)
	}
	for _, e := range happened {
		if s := e.State; s != nil && strings.Contains(string(s.Target), "/") {
			states[string(s.Target)] = append(states[string(s.Target)], string(s.Status))
		}
	}
	paintedWays, paintedStates := map[string][]string{}, map[string][]string{}
	for _, p := range seen {
		switch {
		case p.Kind == "pulse":
			way := fmt.Sprintf("%s %s>%s", p.What, p.From, p.To)
			paintedWays[way] = append(paintedWays[way], p.Revision)
		case strings.Contains(p.Target, "/"):
			paintedStates[p.Target] = append(paintedStates[p.Target], p.Status)
		}
	}
	compareAll(t, "crossed", paintedWays, ways, 0)
	compareAll(t, "was", paintedStates, states, 2) // one more reconciliation, at its interval

	// The last push, from the user's push to the cluster, on the edges of the diagram.
	way := []string{
		"push user>git", "webhook git>webhook", "webhook webhook>" + string(liveReceiver), "trigger " + string(liveReceiver) + ">" + string(liveSource),
		"fetch git>" + string(liveSource), "artifact " + string(liveSource) + ">" + string(liveApps), "apply " + string(liveApps) + ">kubernetes",
	}
	at := 0
	for _, p := range seen {
		if p.Kind == "pulse" && p.Revision == last && at < len(way) && fmt.Sprintf("%s %s>%s", p.What, p.From, p.To) == way[at] {
			if p.Count == 0 {
				t.Errorf("%s is on no edge", way[at])
			}
			at++
		}
	}
	if at < len(way) {
		t.Errorf("the way of the push ends before %q", way[at])
	}
	delays := make([]float64, len(seen))
	for i, p := range seen {
		delays[i] = p.After
	}
	slices.Sort(delays)
	t.Logf("painted %d states and pulses, after %.0f ms (p50), %.0f ms (p99)", len(seen), delays[len(delays)/2], delays[len(delays)*99/100])
}

// TestPresentPlanned shows a flowchart that names nothing in the cluster: its nodes come alive when it is run, and are
// plain before and after.
func TestPresentPlanned(t *testing.T) {
	d := quietDemo(t)
	deck := filepath.Join(d.work(), "planned.md")
	if err := os.WriteFile(deck, []byte("# Plan\n\n```mermaid\nflowchart LR\n  A[Cellar] --> B[Walls] --> C[Roof]\n```\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*commandTime)
	defer cancel()
	page := watchPage(ctx, t, present(ctx, t, d, deck))
	nodes := func(condition string) {
		t.Helper()
		limit, cancel := context.WithTimeout(page, healTime)
		defer cancel()
		if _, err := chromedp.Run(limit, chromedp.Poll[bool](`[...document.querySelectorAll(".present g.node")].filter((n) => `+condition+`).length === 3`)); err != nil {
			t.Errorf("never three nodes with %s: %v", condition, err)
		}
	}
	const plain = `!n.dataset.status && !n.dataset.target && !n.classList.contains("live") && !n.querySelector(".sign")`
	nodes(plain)
	d.must(t, "diagram", "run", deck)
	nodes(`n.dataset.status === "ready" && n.dataset.target.startsWith("Kustomization/flux-system/planned--") && n.querySelector(".sign")`)
	d.must(t, "diagram", "clean")
	nodes(plain)
}

// TestPresentChart shows a slide with a chart while the Kustomization that it names waits: the picture tells of it.
func TestPresentChart(t *testing.T) {
	d := quietDemo(t)
	deck := filepath.Join(d.work(), "charted.md")
	if err := os.WriteFile(deck, []byte("# Charted\n{: chart=\"apps\" slo=\"5s\"}\n\na\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*commandTime)
	defer cancel()
	page := watchPage(ctx, t, present(ctx, t, d, deck))
	limit, cancel := context.WithTimeout(page, healTime)
	defer cancel()
	see := func(what, expression string) {
		t.Helper()
		if _, err := chromedp.Run(limit, chromedp.Poll[bool](expression)); err != nil {
			t.Errorf("never %s: %v", what, err)
		}
	}
	const waits, queues = `document.querySelectorAll(".present figure.chart svg")[0]`, `document.querySelectorAll(".present figure.chart svg")[1]`
	see("what was promised", waits+`?.textContent.includes("SLO 5s")`)
	see("the main controllers' queue", queues+`?.textContent.includes("main")`)
	see("that it is calm", waits+`.querySelector("polyline").getAttribute("points").split(" ").length === 2`)
	d.kubectl(t, "-n", "flux-system", "annotate", "kustomization", "apps", "--overwrite", "reconcile.fluxcd.io/requestedAt=chart-test")
	see("that it has waited", waits+`.querySelector("polyline").getAttribute("points").split(" ").length > 4`)
}

// watchPage opens an address in a browser, and returns the context for what is done there.
func watchPage(ctx context.Context, t *testing.T, address string) context.Context {
	t.Helper()
	page, stop, err := browser.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := chromedp.Do(page, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(page, chromedp.Poll[bool](`document.documentElement.dataset.ready === "true"`)); err != nil {
		t.Fatal(err)
	}
	return page
}

// compareAll compares what was painted with what has happened, status by status without repetitions. One
// may have as many as more after the end of the other: the browser and the watch were not asked at the same moment.
func compareAll(t *testing.T, what string, painted, happened map[string][]string, more int) {
	t.Helper()
	keys := slices.Collect(maps.Keys(painted))
	for key := range happened {
		if painted[key] == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		got, want := slices.Compact(painted[key]), slices.Compact(happened[key])
		if apart := len(got) - len(want); max(apart, -apart) <= more {
			both := min(len(got), len(want))
			got, want = got[:both], want[:both]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %s:\npainted  %v\nhappened %v", key, what, got, want)
		}
	}
}

// present puts a deck on stage until the test ends, and returns the audience's address.
func present(ctx context.Context, t *testing.T, d *testDemo, deck string) (address string) {
	t.Helper()
	return served(ctx, t, d, "Audience:", "present", deck)
}

// served runs a command that serves a page until the test ends, and returns the address that it prints after a word.
func served(ctx context.Context, t *testing.T, d *testDemo, word string, args ...string) (address string) {
	t.Helper()
	cmd := d.command(context.WithoutCancel(ctx), nil, all.program, d.named(args)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), word); ok {
			address = strings.TrimSpace(rest)
		}
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // until the process ends
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", args[0], err)
		}
	})
	if address == "" {
		t.Fatalf("%s has printed no address: %v", args[0], lines.Err())
	}
	return address
}
