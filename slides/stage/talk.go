package stage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/slides/deck"
)

// errInput marks mistakes of whoever asks.
var errInput = errors.New("bad request")

// talk is a deck as it is told: its slides, and what each press of the key does there. It does not change; an edit of
// the deck makes a new one.
type talk struct {
	deck     *deck.Deck
	slides   []slide
	bindings map[string]binding.Binding // of each diagram, by its ID
	model    []byte                     // what browsers get to know, as JSON
}

type slide struct {
	id, title string
	beats     []beat
	steps     []step
}

// beat is what one press of the key brings about on a slide: the end of a wait, or the step of that index.
type beat int

// wait is the beat that ends a wait.
const wait beat = -1

// step is a step of a walk that a slide names.
type step struct {
	walk  *walk.Walk
	index int // in the walk's steps
}

// edges returns the edges that a pulse travels: their indexes, by the ID of their diagram.
func (t *talk) edges(p binding.Pulse) map[string][]int {
	all := map[string][]int{}
	for id, b := range t.bindings {
		for _, e := range b.Edges {
			if e.Travels(p) {
				all[id] = append(all[id], e.Index)
			}
		}
	}
	return all
}

// step returns the step that a beat runs; nil when it ends a wait.
func (s *slide) step(b beat) *step {
	if b == wait {
		return nil
	}
	return &s.steps[b]
}

// deckModel is the deck as browsers get it.
type deckModel struct {
	Title    string         `json:"title"`
	Meta     metaModel      `json:"meta"`
	Slides   []slideModel   `json:"slides"`
	Problems []problemModel `json:"problems"`
}

type metaModel struct {
	Subtitle    string `json:"subtitle,omitempty"`
	Author      string `json:"author,omitempty"`
	Institution string `json:"institution,omitempty"`
	Theme       string `json:"theme,omitempty"`
	Date        string `json:"date,omitempty"`
	// Seconds is the time allotted for the talk; 0 when the deck does not say.
	Seconds float64 `json:"seconds"`
	// Start and End are when the talk takes place, in milliseconds since 1970; 0 when the deck does not say.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

type slideModel struct {
	ID       string         `json:"id"`
	Title    string         `json:"title"`
	HTML     string         `json:"html"`
	Waits    int            `json:"waits"`
	Beats    []int          `json:"beats"` // -1 for a wait, else the index of a step
	Notes    []noteModel    `json:"notes"`
	Diagrams []diagramModel `json:"diagrams"`
	Steps    []stepModel    `json:"steps"`
	Coming   string         `json:"coming,omitempty"` // a walk that the slide names and that is not there yet
}

type noteModel struct {
	After int    `json:"after"` // how many waits are over when the note begins to matter
	HTML  string `json:"html"`
}

type diagramModel struct {
	ID     string           `json:"id"`
	Source string           `json:"source"`
	Bind   *binding.Binding `json:"bind,omitempty"`
	// Planned says that what Bind names is there only once somebody runs the diagram.
	Planned bool   `json:"planned,omitempty"`
	Error   string `json:"error,omitempty"` // why it cannot come alive; it may still be drawn
}

// stepModel is a step as the slide offers it.
type stepModel struct {
	Walk     string   `json:"walk"`
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Number   int      `json:"number"` // counted from 1
	Of       int      `json:"of"`     // how many steps the walk has
	Commands []string `json:"commands"`
	Checks   []string `json:"checks"` // what it waits for, in words
}

type problemModel struct {
	Line     int    `json:"line"`
	Col      int    `json:"col"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// ties is what ties a deck to the cluster.
type ties struct {
	find     func(name string) (*walk.Walk, error) // walks; nil where there are none
	planned  func(source string) map[string]string // what a diagram without bindings would become; may be nil
	defaults binding.Defaults
}

// newTalk makes a talk of a deck. Walks that are not found are marked as coming.
func newTalk(d *deck.Deck, to ties) (*talk, error) {
	t := &talk{deck: d, bindings: map[string]binding.Binding{}}
	m := deckModel{
		Title: d.Title,
		Meta: metaModel{
			Subtitle: d.Meta.Subtitle, Author: d.Meta.Author, Institution: d.Meta.Institution, Theme: d.Meta.Theme,
			Date: d.Meta.Date, Seconds: d.Meta.AllottedTime.Seconds(),
		},
		Slides: []slideModel{}, Problems: []problemModel{},
	}
	if !d.Meta.StartTime.IsZero() && !d.Meta.EndTime.IsZero() {
		m.Meta.Start, m.Meta.End = d.Meta.StartTime.UnixMilli(), d.Meta.EndTime.UnixMilli()
	}
	for _, p := range d.Problems {
		m.Problems = append(m.Problems, problemModel{p.Line, p.Col, p.Severity, p.Msg})
	}
	for i := range d.Slides {
		s, sm := newSlide(&d.Slides[i], to)
		t.slides, m.Slides = append(t.slides, s), append(m.Slides, sm)
		for _, each := range sm.Diagrams {
			if each.Bind != nil {
				t.bindings[each.ID] = *each.Bind
			}
		}
	}
	var err error
	if t.model, err = json.Marshal(m); err != nil {
		return nil, fmt.Errorf("encode the deck %s: %w", d.File, err)
	}
	return t, nil
}

// same reports whether browsers would see no difference.
func (t *talk) same(other *talk) bool { return bytes.Equal(t.model, other.model) }

func newSlide(d *deck.Slide, to ties) (slide, slideModel) {
	s := slide{id: d.ID, title: d.Title}
	m := slideModel{
		ID: d.ID, Title: d.Title, HTML: d.HTML(deck.HTMLOptions{}), Waits: d.Waits,
		Beats: []int{}, Notes: []noteModel{}, Diagrams: []diagramModel{}, Steps: []stepModel{},
	}
	for i := range d.Notes {
		n := &d.Notes[i]
		m.Notes = append(m.Notes, noteModel{n.Wait, n.HTML(deck.HTMLOptions{})})
	}
	for i := range d.Diagrams {
		m.Diagrams = append(m.Diagrams, newDiagram(&d.Diagrams[i], to))
	}
	m.Coming = d.Coming.Walk
	if d.Walk.Walk != "" {
		if s.steps = steps(d.Walk, to.find); s.steps == nil {
			m.Coming = d.Walk.Walk
		}
	}
	after := min(d.Walk.Wait, d.Waits)
	for i := range d.Waits + 1 {
		if i == after {
			for j := range s.steps {
				s.beats = append(s.beats, beat(j))
			}
		}
		if i < d.Waits {
			s.beats = append(s.beats, wait)
		}
	}
	for _, b := range s.beats {
		m.Beats = append(m.Beats, int(b))
	}
	for _, st := range s.steps {
		m.Steps = append(m.Steps, st.model())
	}
	return s, m
}

// steps returns the steps that a slide names: one, or all of the walk. It returns nil when there is no such thing.
func steps(ref deck.WalkRef, find func(name string) (*walk.Walk, error)) []step {
	if find == nil {
		return nil
	}
	w, err := find(ref.Walk)
	if err != nil {
		return nil // walks that are not written yet are no mistake on a slide; lint tells of them
	}
	var all []step
	for i := range w.Steps {
		if ref.Step == "" || ref.Step == w.Steps[i].ID || ref.Step == fmt.Sprint(i+1) {
			all = append(all, step{w, i})
		}
	}
	return all
}

func (st step) model() stepModel {
	w := &st.walk.Steps[st.index]
	m := stepModel{
		Walk: st.walk.Name, ID: w.ID, Title: w.Title, Number: w.Number, Of: len(st.walk.Steps),
		Commands: []string{}, Checks: []string{},
	}
	for _, b := range w.Actions() {
		if b.Role == walk.Check {
			m.Checks = append(m.Checks, b.Name())
			continue
		}
		for _, c := range b.Commands {
			m.Commands = append(m.Commands, c.Text)
		}
	}
	return m
}

// newDiagram ties a diagram's nodes to the cluster, if it is a flowchart. One that cannot be read stays as it is: the
// browser shows its source with mermaid's own error.
func newDiagram(d *deck.Diagram, to ties) diagramModel {
	m := diagramModel{ID: d.ID, Source: d.Source}
	if !flowchart.Is(d.Source) {
		return m
	}
	chart, err := flowchart.Parse(d.Source)
	if err != nil {
		m.Error = err.Error()
		return m
	}
	b, err := binding.Bind(chart, d.Bind, to.defaults)
	if err != nil {
		m.Error = err.Error()
		return m
	}
	if len(b.Nodes) == 0 && len(b.Subgraphs) == 0 && to.planned != nil {
		if nodes := to.planned(d.Source); nodes != nil {
			if planned, err := binding.Bind(chart, nodes, to.defaults); err == nil {
				b, m.Planned = planned, true
			}
		}
	}
	m.Bind = &b
	return m
}
