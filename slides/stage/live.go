package stage

import (
	"context"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
)

// listen sends the states and pulses of the cluster to all browsers until ctx ends.
func (s *Stage) listen(ctx context.Context) {
	states, events := s.o.Live.Subscribe(ctx)
	now := time.Now()
	s.mu.Lock()
	for _, st := range states {
		s.setState(diagrams.NewState(st, now))
	}
	s.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return
		case ev, more := <-events:
			if !more {
				return
			}
			s.take(ev)
		}
	}
}

func (s *Stage) take(ev live.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.State != nil {
		s.setState(diagrams.NewState(*ev.State, ev.Seen))
	}
	if p := ev.Pulse; p != nil {
		s.send("pulse", diagrams.NewPulse(*p, ev.Seen, s.talk.edges(*p)))
	}
}

// setState saves a state and sends it to all browsers. The stage is locked.
func (s *Stage) setState(m diagrams.State) {
	s.states[m.Target] = m
	s.send("state", m)
}
