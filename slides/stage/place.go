package stage

import (
	"fmt"
	"strconv"
	"strings"
)

// Place is where the talk is.
type Place struct {
	Slide    int    `json:"slide"`    // counted from 0
	Slides   int    `json:"slides"`   // how many there are
	ID       string `json:"id"`       // the slide's
	Title    string `json:"title"`    // the slide's
	Beat     int    `json:"beat"`     // how many of the slide's waits and steps are over
	Fragment int    `json:"fragment"` // the last of the slide's waits that is over, counted from 0; -1 when none is
}

// String returns the place in a line, such as "3/12 GitOps".
func (p Place) String() string {
	return fmt.Sprintf("%d/%d %s", p.Slide+1, p.Slides, p.Title)
}

// at returns the place after so many beats of a slide. Both are brought into the talk's bounds.
func (t *talk) at(slide, beat int) Place {
	slide = max(min(slide, len(t.slides)-1), 0)
	if len(t.slides) == 0 {
		return Place{Fragment: -1}
	}
	s := &t.slides[slide]
	p := Place{Slide: slide, Slides: len(t.slides), ID: s.id, Title: s.title, Beat: max(min(beat, len(s.beats)), 0), Fragment: -1}
	for _, b := range s.beats[:p.Beat] {
		if b == wait {
			p.Fragment++
		}
	}
	return p
}

// next is the beat that the key brings about at p; ok is false when the slide has no more.
func (t *talk) next(p Place) (b beat, ok bool) {
	if p.Slide >= len(t.slides) || p.Beat >= len(t.slides[p.Slide].beats) {
		return 0, false
	}
	return t.slides[p.Slide].beats[p.Beat], true
}

// keep finds p again in a talk that was edited: the slide of that ID, else the one that stands there now.
func (t *talk) keep(p Place) Place {
	for i := range t.slides {
		if t.slides[i].id == p.ID {
			return t.at(i, p.Beat)
		}
	}
	return t.at(p.Slide, p.Beat)
}

// find returns the place that somebody names: a slide's ID, its number from 1, or its title.
func (t *talk) find(name string) (Place, error) {
	name = strings.TrimSpace(name)
	for i := range t.slides {
		if t.slides[i].id == name || strings.EqualFold(t.slides[i].title, name) {
			return t.at(i, 0), nil
		}
	}
	n, err := strconv.Atoi(name)
	if err != nil {
		return Place{}, fmt.Errorf("%w: there is no slide %q; name one by its number, 1 to %d, or as the end of its address", errInput, name, len(t.slides))
	}
	if n < 1 || n > len(t.slides) {
		return Place{}, fmt.Errorf("%w: there is no slide %d: the deck has 1 to %d", errInput, n, len(t.slides))
	}
	return t.at(n-1, 0), nil
}

// fragment returns the place on p's slide where just so many waits are over, counted as Place.Fragment does.
func (t *talk) fragment(p Place, last int) Place {
	for beat := 0; ; beat++ {
		q := t.at(p.Slide, beat)
		if q.Fragment >= last || q.Beat < beat {
			return q
		}
	}
}

// of finds the beat of a step: on the slide of p, else on the first slide that has it. The place is the one before
// the beat.
func (t *talk) of(p Place, walk string, index int) (Place, bool) {
	order := []int{p.Slide}
	for i := range t.slides {
		order = append(order, i)
	}
	for _, i := range order {
		if i >= len(t.slides) {
			continue
		}
		for j, b := range t.slides[i].beats {
			if st := t.slides[i].step(b); st != nil && st.walk.Name == walk && st.index == index {
				return t.at(i, j), true
			}
		}
	}
	return Place{}, false
}
