package live

import (
	"context"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// backlog is how many pulses wait for a slow reader before the oldest are dropped.
const backlog = 256

// hub hands events to those who subscribed. It never waits for any of them.
type hub struct {
	mu     sync.Mutex
	seq    uint64
	states map[binding.Target]State
	subs   map[*subscriber]bool
}

func newHub() *hub { return &hub{states: map[binding.Target]State{}, subs: map[*subscriber]bool{}} }

// subscriber is a reader with what it has not taken yet.
type subscriber struct {
	waiting []Event // in order; at most one state of each target
	pulses  int     // among them
	wake    chan struct{}
}

// state publishes a state if it says something new.
func (h *hub) state(s State, seen time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old, known := h.states[s.Target]
	if known && old.Status == s.Status {
		if old.Message == s.Message && old.Revision == s.Revision {
			return
		}
		s.Since = old.Since
	}
	h.states[s.Target] = s
	h.publish(Event{State: &s, Seen: seen})
}

// get returns the last state of a target.
func (h *hub) get(t binding.Target) (State, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.states[t]
	return s, ok
}

func (h *hub) pulse(p binding.Pulse, seen time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.publish(Event{Pulse: &p, Seen: seen})
}

// publish needs the lock.
func (h *hub) publish(e Event) {
	h.seq++
	e.Seq = h.seq
	for s := range h.subs {
		s.add(e)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// add appends an event. A state takes the place of an older one of its target, and a pulse too many that of the
// oldest pulse: what waits is never more than the pulses of the backlog and a state for each target.
func (s *subscriber) add(e Event) {
	drop := func(fits func(Event) bool) {
		for i, old := range s.waiting {
			if fits(old) {
				s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
				return
			}
		}
	}
	if e.State != nil {
		drop(func(old Event) bool { return old.State != nil && old.State.Target == e.State.Target })
	} else if s.pulses++; s.pulses > backlog {
		drop(func(old Event) bool { return old.Pulse != nil })
		s.pulses--
	}
	s.waiting = append(s.waiting, e)
}

// subscribe returns all states, and a channel of what comes after; it is closed when ctx ends.
func (h *hub) subscribe(ctx context.Context) ([]State, <-chan Event) {
	sub := &subscriber{wake: make(chan struct{}, 1)}
	h.mu.Lock()
	snapshot := make([]State, 0, len(h.states))
	for _, s := range h.states {
		snapshot = append(snapshot, s)
	}
	h.subs[sub] = true
	h.mu.Unlock()
	events := make(chan Event)
	go func() {
		defer close(events)
		defer func() {
			h.mu.Lock()
			delete(h.subs, sub)
			h.mu.Unlock()
		}()
		for {
			e, ok := h.next(sub)
			if !ok {
				select {
				case <-sub.wake:
					continue
				case <-ctx.Done():
					return
				}
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return snapshot, events
}

// next takes the oldest event that a subscriber has not had.
func (h *hub) next(s *subscriber) (Event, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(s.waiting) == 0 {
		return Event{}, false
	}
	e := s.waiting[0]
	s.waiting = s.waiting[1:]
	if e.Pulse != nil {
		s.pulses--
	}
	return e, true
}
