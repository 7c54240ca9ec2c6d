package stage

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is where the talk is.
type Position struct {
	Slide    int    `json:"slide"`    // counted from 0
	Slides   int    `json:"slides"`   // how many there are
	ID       string `json:"id"`       // the slide's
	Title    string `json:"title"`    // the slide's
	Press    int    `json:"press"`    // how many of the slide's presses are over: fragments and steps
	Fragment int    `json:"fragment"` // the last of the slide's fragments that is over, counted from 0; -1 when none is
}

// String returns the position in a line, such as "3/12 GitOps".
func (p Position) String() string {
	return fmt.Sprintf("%d/%d %s", p.Slide+1, p.Slides, p.Title)
}

// at returns the position after so many presses on a slide. Both are brought into the talk's bounds.
func (t *talk) at(slide, presses int) Position {
	slide = max(min(slide, len(t.slides)-1), 0)
	if len(t.slides) == 0 {
		return Position{Fragment: -1}
	}
	s := &t.slides[slide]
	p := Position{Slide: slide, Slides: len(t.slides), ID: s.id, Title: s.title, Press: max(min(presses, len(s.presses)), 0), Fragment: -1}
	for _, each := range s.presses[:p.Press] {
		if each == nextFragment {
			p.Fragment++
		}
	}
	return p
}

// next is what the key does at p; ok is false when the slide has no more.
func (t *talk) next(p Position) (_ press, ok bool) {
	if p.Slide >= len(t.slides) || p.Press >= len(t.slides[p.Slide].presses) {
		return 0, false
	}
	return t.slides[p.Slide].presses[p.Press], true
}

// keep finds p again in a talk that was edited: the slide of that ID, else the one that is at its index now.
func (t *talk) keep(p Position) Position {
	for i := range t.slides {
		if t.slides[i].id == p.ID {
			return t.at(i, p.Press)
		}
	}
	return t.at(p.Slide, p.Press)
}

// find returns the position of a slide that is named by its ID, its number from 1, or its title.
func (t *talk) find(name string) (Position, error) {
	name = strings.TrimSpace(name)
	for i := range t.slides {
		if t.slides[i].id == name || strings.EqualFold(t.slides[i].title, name) {
			return t.at(i, 0), nil
		}
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		return Position{}, fmt.Errorf("%w: there is no slide %q; name one by its number, 1 to %d, or as the end of its address", errInput, name, len(t.slides))
	}
	if n < 1 || n > len(t.slides) {
		return Position{}, fmt.Errorf("%w: there is no slide %d: the deck has 1 to %d", errInput, n, len(t.slides))
	}
	return t.at(n-1, 0), nil
}

// fragment returns the position on p's slide where just so many fragments are over, counted as Position.Fragment does.
func (t *talk) fragment(p Position, last int) Position {
	for presses := 0; ; presses++ {
		q := t.at(p.Slide, presses)
		if q.Fragment >= last || q.Press < presses {
			return q
		}
	}
}

// before finds the position before a step: on the slide of p, else on the first slide that has it.
func (t *talk) before(p Position, walk string, index int) (Position, bool) {
	order := []int{p.Slide}
	for i := range t.slides {
		order = append(order, i)
	}
	for _, i := range order {
		if i >= len(t.slides) {
			continue
		}
		for j, each := range t.slides[i].presses {
			if st := t.slides[i].step(each); st != nil && st.walk.Name == walk && st.index == index {
				return t.at(i, j), true
			}
		}
	}
	return Position{}, false
}
