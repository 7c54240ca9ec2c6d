package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
)

// TestDiagram runs a flowchart, changes it, and takes it away.
func TestDiagram(t *testing.T) {
	d := sharedDemo(t)
	await(t, healTime, "all is well", d.healthy)
	w := watchLive(t, d)
	before := tree(t, d)
	file := filepath.Join(d.work(), "plan.mmd")
	run := func(text string) []string {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var out struct {
			Nodes []struct {
				Node              string
				Revision          string
				ReadyAfterSeconds float64
			}
		}
		if err := json.Unmarshal([]byte(d.must(t, "diagram", "run", file, "-o", "json")), &out); err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, n := range out.Nodes {
			order = append(order, n.Node)
			if n.ReadyAfterSeconds <= 0 || !strings.HasPrefix(n.Revision, "main@sha1:") {
				t.Errorf("%+v", n)
			}
		}
		return order
	}
	node := func(id string) binding.Target { return binding.Target("Kustomization/flux-system/plan--" + id) }

	mark := w.mark()
	order := run("graph TD\n  A-->B\n  A-->C\n  B-->D\n  C-->D\n")
	if len(order) != 4 || order[0] != "A" || order[3] != "D" {
		t.Errorf("in the order %v", order)
	}
	// What the objects have said, in the order in which they did. This watch may be behind that of the command.
	w.state(node("d"), "ready", is(live.Ready))
	var lit []string
	for _, e := range w.since(mark) {
		if s := e.State; s != nil && s.Status == live.Ready && strings.HasPrefix(string(s.Target), "Kustomization/flux-system/plan--") {
			if id := strings.ToUpper(string(s.Target)[len(s.Target)-1:]); !slices.Contains(lit, id) {
				lit = append(lit, id)
			}
		}
	}
	if fmt.Sprint(lit) != fmt.Sprint(order) {
		t.Errorf("lit up in the order %v, told %v", lit, order)
	}
	for _, edge := range [][2]string{{"a", "b"}, {"a", "c"}, {"b", "d"}, {"c", "d"}} {
		if n := len(pulses(w.since(mark), func(p binding.Pulse) bool {
			return p.What == binding.Depend && p.From == node(edge[0]) && p.To == node(edge[1])
		})); n != 1 {
			t.Errorf("%v: %d pulses\n%s", edge, n, list(w.since(mark)))
		}
	}
	if got := d.kubectl(t, "-n", "playground", "get", "configmap", "-l", "fluxdemo.github.io/diagram=plan", "-o", "name"); strings.Count(got, "configmap/plan--") != 4 {
		t.Errorf("it has made %s", got)
	}

	run("graph TD\n  A-->D\n")
	w.state(node("b"), "gone", is(live.Missing))

	if r := d.fluxdemo("diagram", "clean", "other"); r.code != exitFailure || !strings.Contains(r.stderr, "valid values: plan") {
		t.Errorf("another one: %v", r)
	}
	if out := d.must(t, "diagram", "clean"); out != "plan\n" {
		t.Errorf("cleaned %q", out)
	}
	for kind, namespace := range map[string]string{"configmap": "playground", "kustomization": "flux-system"} {
		if left := d.kubectl(t, "-n", namespace, "get", kind, "-l", "fluxdemo.github.io/diagram", "-o", "name"); left != "" {
			t.Errorf("left: %s", left)
		}
	}
	if after := tree(t, d); after != before {
		t.Errorf("the repository holds %s, %s before", after, before)
	}
}
