package stage

import (
	"context"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
)

// stateModel is how something in the cluster is.
type stateModel struct {
	Target   binding.Target `json:"target"`
	Status   live.Status    `json:"status"`
	Message  string         `json:"message,omitempty"`
	Revision string         `json:"revision,omitempty"`
	Since    int64          `json:"since"` // in milliseconds since 1970
	At       float64        `json:"at"`    // when the watch has brought it, in milliseconds since 1970
}

// pulseModel is something that travelled.
type pulseModel struct {
	From     binding.Target `json:"from"`
	To       binding.Target `json:"to"`
	What     string         `json:"what"`
	Revision string         `json:"revision,omitempty"`
	Object   string         `json:"object,omitempty"`
	Evidence string         `json:"evidence,omitempty"`
	At       float64        `json:"at"` // as in stateModel
	// Edges are those that it travels, by the ID of their diagram.
	Edges map[string][]int `json:"edges"`
}

func newState(st live.State, at time.Time) stateModel {
	return stateModel{st.Target, st.Status, st.Message, st.Revision, st.Since.UnixMilli(), millis(at)}
}

// millis is a time as browsers count it, down to the microsecond.
func millis(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }

// listen hands on what happens in the cluster until ctx ends.
func (s *Stage) listen(ctx context.Context) {
	states, events := s.o.Live.Subscribe(ctx)
	now := time.Now()
	s.mu.Lock()
	for _, st := range states {
		s.setState(newState(st, now))
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
		s.setState(newState(*ev.State, ev.Seen))
	}
	if p := ev.Pulse; p != nil {
		s.send("pulse", pulseModel{p.From, p.To, p.What, p.Revision, p.Object, p.Evidence, millis(ev.Seen), s.talk.edges(*p)})
	}
}

// setState keeps a state and tells everybody. The stage is locked.
func (s *Stage) setState(m stateModel) {
	s.states[m.Target] = m
	s.send("state", m)
}
