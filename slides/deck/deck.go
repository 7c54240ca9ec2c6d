// Package deck parses decks, which are talks in Rabbit's Markdown, and renders their slides as safe HTML. Parsing never
// fails: each mistake is a Problem with its line and column, and every slide is kept.
package deck

import (
	"cmp"
	"fmt"
	"regexp"
	"time"
)

// Deck is one talk.
type Deck struct {
	File     string // as given to Parse, for messages
	Title    string // of the first slide; "" if it has none
	Meta     Meta
	Slides   []Slide // in order; the first one is the title slide
	Problems []Problem

	assets   []asset
	allotted position // where Meta.AllottedTime is written
}

// Meta is the definition list of the title slide. Missing values are zero.
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
	Walk       WalkRef // the walk or step of the slide; zero for none
	Coming     WalkRef // a walk that is not written yet; zero for none
	Chart      Chart   // the chart beside the text; zero for none

	heading []Inline
	meta    *Meta
	html    *renderer
}

// WalkRef names a walk or a step of one.
type WalkRef struct {
	Walk string // the walk's name; "" for none
	Step string // the step's ID; "" for the whole walk
	Wait int    // how many fragments of the slide come before it

	at position // where it is written
}

// Chart is a live chart: how long a Kustomization waits for its controller.
type Chart struct {
	Kustomization string        // namespace/name; "" for none
	SLO           time.Duration // the longest wait that is promised; 0 for none
}

// chartName is the name of a Kustomization, with a namespace or in Flux's.
var chartName = regexp.MustCompile(`^(?:([a-z0-9-]+)/)?([a-z0-9][a-z0-9.-]*)$`)

// newChart returns the chart of a Kustomization that is named as on a slide.
func newChart(name, slo string) (Chart, error) {
	parts := chartName.FindStringSubmatch(name)
	if parts == nil {
		return Chart{}, fmt.Errorf("%q is not the name of a Kustomization: write chart=\"name\" or chart=\"namespace/name\"", name)
	}
	c := Chart{Kustomization: cmp.Or(parts[1], "flux-system") + "/" + parts[2]}
	if slo == "" {
		return c, nil
	}
	limit, err := time.ParseDuration(slo)
	if err != nil || limit < time.Second || limit > time.Hour {
		return Chart{}, fmt.Errorf("%q is not a valid SLO: write a time from slo=\"1s\" to slo=\"1h\"", slo)
	}
	c.SLO = limit
	return c, nil
}

// position is a line and column in the deck or its sidecar.
type position struct {
	file      string
	line, col int
}

// String returns the reference in the form walk or walk#step, for example "gitops#push".
func (r WalkRef) String() string {
	if r.Step == "" {
		return r.Walk
	}
	return r.Walk + "#" + r.Step
}

// Note is a note for the presenter that appears after a number of fragments.
type Note struct {
	Wait   int // number of fragments; 0: at once
	Blocks []Block

	html *renderer
}

// Diagram is one mermaid block.
type Diagram struct {
	ID     string // "<slide's ID>-<n>", n counted from 1
	Source string
	Line   int // of the source's first line
	Attrs  map[string]string
	Bind   map[string]string // target of each node by its ID, or "none"; from bind-<node>="..." or the sidecar
}

// The severities of a Problem.
const (
	Error   = "error"   // a part of the slide does not work as written
	Warning = "warning" // a part of the slide is probably not as intended
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
