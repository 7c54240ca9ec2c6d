// Package deck reads decks, which are talks written in Rabbit's Markdown, into a model of slides, and renders the
// slides as safe HTML. Reading never fails: what is wrong is a Problem with its place, and every slide is still there.
package deck

import (
	"cmp"
	"fmt"
	"regexp"
	"time"
)

// Deck is one talk.
type Deck struct {
	File     string // as it was given to Parse; messages show it
	Title    string // of the first slide; "" when it has none
	Meta     Meta
	Slides   []Slide // in order; the first one is the title slide
	Problems []Problem

	assets   []asset
	allotted place // where Meta.AllottedTime is written
}

// Meta is what the title slide's definition list says about the talk. What is not said is zero.
type Meta struct {
	Subtitle, Author, Institution, Theme, Date string

	AllottedTime       time.Duration
	StartTime, EndTime time.Time
	Other              map[string]string // every other term, in lower case with dashes
}

// Slide is one page of the talk.
type Slide struct {
	ID         string // of the title, unique in the deck: "gitops", "gitops-2"; deep links use it
	Title      string // plain text
	Line       int    // of the title
	Cover      bool   // the title slide, with the deck's Meta
	Blocks     []Block
	Waits      int    // number of {::wait/} pauses; fragment indexes are 0 to Waits-1
	Notes      []Note // for the presenter, in order
	Properties map[string]string
	Diagrams   []Diagram
	Walk       WalkRef // what can be run here; zero when there is nothing
	Coming     WalkRef // what will run here once the walk is written; zero when there is nothing
	Chart      Chart   // what is charted beside the text; zero when there is nothing

	heading []Inline
	meta    *Meta
	html    *renderer
}

// WalkRef names a walk or a step of one.
type WalkRef struct {
	Walk string // the walk's name; "" for none
	Step string // the step's ID; "" for the whole walk
	Wait int    // how many pauses of the slide come before it is offered

	at place // where it is written
}

// Chart is a live chart: how long a Kustomization waits for its controller.
type Chart struct {
	Kustomization string        // namespace/name; "" for none
	SLO           time.Duration // how long it shall wait at most; 0 for no promise
}

// chartName is the name of a Kustomization, with a namespace or in Flux's.
var chartName = regexp.MustCompile(`^(?:([a-z0-9-]+)/)?([a-z0-9][a-z0-9.-]*)$`)

// newChart returns the chart of a Kustomization that is named as on a slide.
func newChart(name, slo string) (Chart, error) {
	parts := chartName.FindStringSubmatch(name)
	if parts == nil {
		return Chart{}, fmt.Errorf("%q is not a Kustomization's name: write chart=\"name\" or chart=\"namespace/name\"", name)
	}
	c := Chart{Kustomization: cmp.Or(parts[1], "flux-system") + "/" + parts[2]}
	if slo == "" {
		return c, nil
	}
	limit, err := time.ParseDuration(slo)
	if err != nil || limit < time.Second || limit > time.Hour {
		return Chart{}, fmt.Errorf("%q is not how long a Kustomization may wait: write a time from slo=\"1s\" to slo=\"1h\"", slo)
	}
	c.SLO = limit
	return c, nil
}

// place is a position in the deck or its sidecar.
type place struct {
	file      string
	line, col int
}

// String returns the reference as it is written: walk or walk#step.
func (r WalkRef) String() string {
	if r.Step == "" {
		return r.Walk
	}
	return r.Walk + "#" + r.Step
}

// Note is what the presenter wants to be reminded of after a number of pauses.
type Note struct {
	Wait   int // 0: as soon as the slide shows
	Blocks []Block

	html *renderer
}

// Diagram is one mermaid block.
type Diagram struct {
	ID     string // "<slide's ID>-<n>", n counted from 1
	Source string
	Line   int // of the source's first line
	Attrs  map[string]string
	Bind   map[string]string // node ID -> what it stands for, or "none"; from bind-<node>="..." or the sidecar
}

// The severities of a Problem.
const (
	Error   = "error"   // something does not show as it was meant
	Warning = "warning" // something is likely not what was meant
)

// Problem is one mistake in a deck.
type Problem struct {
	File      string // the deck's file or its sidecar
	Line, Col int    // counted from 1, columns in bytes
	Severity  string // Error or Warning
	Msg       string
}

// String returns "file:line:col: severity: message", the form that editors can jump to.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Col, p.Severity, p.Msg)
}

// Slide returns the slide with the ID, or nil.
func (d *Deck) Slide(id string) *Slide {
	for i := range d.Slides {
		if d.Slides[i].ID == id {
			return &d.Slides[i]
		}
	}
	return nil
}

// Diagram returns the diagram with the ID, or nil.
func (d *Deck) Diagram(id string) *Diagram {
	for i := range d.Slides {
		for j := range d.Slides[i].Diagrams {
			if d.Slides[i].Diagrams[j].ID == id {
				return &d.Slides[i].Diagrams[j]
			}
		}
	}
	return nil
}
