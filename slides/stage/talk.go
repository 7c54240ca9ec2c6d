package stage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/slides/deck"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
)

// errInput marks errors in a request.
var errInput = errors.New("bad request")

// talk is a deck that is presented: its slides, and what each advance does there. It does not change; an edit of the
// deck makes a new one.
type talk struct {
	deck     *deck.Deck
	slides   []slide
	bindings map[string]binding.Binding // of each diagram, by its ID
	model    []byte                     // the deck as browsers receive it, as JSON
}

type slide struct {
	id, title string
	presses   []press
	steps     []step
}

// press is what one Next does on a slide: it runs the step of that index, or shows a fragment.
type press int

// nextFragment is the press that shows the slide's next fragment.
const nextFragment press = -1

// step is a step of a walk that a slide names.
type step struct {
	walk  *walk.Walk
	index int // in the walk's steps
}

// edges returns the edges that a pulse crosses: their indexes, by the ID of their diagram.
func (t *talk) edges(p binding.Pulse) map[string][]int {
	all := map[string][]int{}
	for id, b := range t.bindings {
		if crossed := diagrams.Edges(b, p); crossed != nil {
			all[id] = crossed
		}
	}
	return all
}

// step returns the step that a press runs; nil if it shows a fragment.
func (s *slide) step(p press) *step {
	if p == nextFragment {
		return nil
	}
	return &s.steps[p]
}

// deckModel is the deck as browsers receive it.
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
	// Seconds is the time allotted for the talk; 0 if the deck does not set it.
	Seconds float64 `json:"seconds"`
	// Start and End are the times of the talk, in milliseconds since 1970; 0 if the deck does not set them.
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

type slideModel struct {
	ID        string             `json:"id"`
	Title     string             `json:"title"`
	HTML      string             `json:"html"`
	Fragments int                `json:"fragments"` // how many there are
	Presses   []int              `json:"presses"`   // -1 for a fragment, else the index of a step
	Notes     []noteModel        `json:"notes"`
	Diagrams  []diagrams.Diagram `json:"diagrams"`
	Steps     []stepModel        `json:"steps"`
	Coming    string             `json:"coming,omitempty"` // a walk that the slide names and that is not written yet
}

type noteModel struct {
	After int    `json:"after"` // how many fragments show when the note appears
	HTML  string `json:"html"`
}

// stepModel is a step as the slide offers it.
type stepModel struct {
	Walk     string   `json:"walk"`
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Number   int      `json:"number"` // counted from 1
	Of       int      `json:"of"`     // how many steps the walk has
	Commands []string `json:"commands"`
	Checks   []string `json:"checks"` // the labels of its checks
}

type problemModel struct {
	Line     int    `json:"line"`
	Col      int    `json:"col"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
}

// binder finds the walks and the targets that a deck names.
type binder struct {
	find func(name string) (*walk.Walk, error) // walks; nil if there are none
	diagrams.Binder
}

// newTalk makes a talk of a deck. Walks that are not found are marked as coming.
func newTalk(d *deck.Deck, to binder) (*talk, error) {
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
		return nil, fmt.Errorf("encoding the deck %s: %w", d.File, err)
	}
	return t, nil
}

// same reports whether browsers would see no difference to other.
func (t *talk) same(other *talk) bool { return bytes.Equal(t.model, other.model) }

func newSlide(d *deck.Slide, to binder) (slide, slideModel) {
	s := slide{id: d.ID, title: d.Title}
	m := slideModel{
		ID: d.ID, Title: d.Title, HTML: d.HTML(deck.HTMLOptions{}), Fragments: d.Waits,
		Presses: []int{}, Notes: []noteModel{}, Diagrams: []diagrams.Diagram{}, Steps: []stepModel{},
	}
	for i := range d.Notes {
		n := &d.Notes[i]
		m.Notes = append(m.Notes, noteModel{n.Wait, n.HTML(deck.HTMLOptions{})})
	}
	for _, each := range d.Diagrams {
		m.Diagrams = append(m.Diagrams, diagrams.New(each.ID, each.Source, each.Bind, to.Binder))
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
				s.presses = append(s.presses, press(j))
			}
		}
		if i < d.Waits {
			s.presses = append(s.presses, nextFragment)
		}
	}
	for _, p := range s.presses {
		m.Presses = append(m.Presses, int(p))
	}
	for _, st := range s.steps {
		m.Steps = append(m.Steps, st.model())
	}
	return s, m
}

// steps returns the steps that a slide names: one, or all of the walk. It returns nil if there are none.
func steps(ref deck.WalkRef, find func(name string) (*walk.Walk, error)) []step {
	if find == nil {
		return nil
	}
	w, err := find(ref.Walk)
	if err != nil {
		return nil // a slide may name a walk that is not written yet; lint reports it
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
