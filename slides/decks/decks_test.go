package decks

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
	"github.com/fluxdemo/fluxdemo/slides/deck"
)

// steps returns the IDs of a shipped walk's steps.
func steps(name string) ([]string, error) {
	src, err := builtin.Files.ReadFile(name + ".md")
	if err != nil {
		return nil, errors.New("no such walk")
	}
	w, err := walk.Parse(name+".md", src)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range w.Steps {
		ids = append(ids, s.ID)
	}
	return ids, nil
}

func TestDecksAreClean(t *testing.T) {
	files, err := fs.Glob(Files, "*.md")
	if err != nil || len(files) < 2 {
		t.Fatalf("decks: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			src, err := Files.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := deck.Parse(file, src)
			for _, p := range d.Lint(deck.LintOptions{Steps: steps}) {
				t.Error(p)
			}
			if d.Meta.AllottedTime == 0 {
				t.Error("a deck that ships has an allotted time")
			}
			diagrams, runs := 0, 0
			for _, s := range d.Slides {
				if s.Walk.Walk != "" {
					runs++
				}
				for _, g := range s.Diagrams {
					diagrams++
					alive(t, file, g)
				}
			}
			if diagrams < 3 || runs < 3 {
				t.Errorf("%d diagrams, %d slides that can be run", diagrams, runs)
			}
		})
	}
}

// alive fails unless every node of a diagram stands for something in the cluster, or the chart is one that can be run:
// then no node does.
func alive(t *testing.T, file string, g deck.Diagram) {
	t.Helper()
	chart, err := flowchart.Parse(g.Source)
	if err != nil {
		t.Errorf("%s:%d: %v", file, g.Line, err)
		return
	}
	bound, err := binding.Bind(chart, g.Bind, binding.DemoDefaults())
	if err != nil {
		t.Errorf("%s:%d: %v", file, g.Line, err)
		return
	}
	if slices.ContainsFunc(chart.Nodes, func(n flowchart.Node) bool { return n.Label == "Base" }) {
		if len(bound.Nodes) > 0 {
			t.Errorf("%s:%d: a chart that is run names what is there already: %v", file, g.Line, bound.Nodes)
		}
		return
	}
	for _, n := range chart.Nodes {
		if bound.Nodes[n.ID] == "" && g.Bind[n.ID] != binding.None {
			t.Errorf("%s:%d: node %s (%s) stands for nothing", file, g.Line, n.ID, n.Label)
		}
	}
}
