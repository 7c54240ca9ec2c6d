package live

import (
	"fmt"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// TestSlowReader: a reader that takes nothing costs bounded memory, and gets the last state of each target.
func TestSlowReader(t *testing.T) {
	h := newHub()
	_, events := h.subscribe(t.Context())
	const rounds = 10 * backlog
	for i := range rounds {
		h.state(State{Target: "git", Status: Ready, Revision: fmt.Sprint(i)}, time.Now())
		h.state(State{Target: "flux", Status: Working, Message: fmt.Sprint(i)}, time.Now())
		h.pulse(binding.Pulse{What: binding.Push, Revision: fmt.Sprint(i)}, time.Now())
	}
	last := map[binding.Target]State{}
	pulses, seq := 0, uint64(0)
	for seq < 3*rounds {
		e := <-events
		if e.Seq <= seq {
			t.Fatalf("event %d comes after %d", e.Seq, seq)
		}
		seq = e.Seq
		if e.State != nil {
			last[e.State.Target] = *e.State
		} else {
			pulses++
		}
	}
	if pulses < backlog || pulses > backlog+1 { // one may have been on its way
		t.Errorf("%d pulses of %d came", pulses, rounds)
	}
	if want := fmt.Sprint(rounds - 1); last["git"].Revision != want || last["flux"].Message != want {
		t.Errorf("the last states are %+v", last)
	}
}

// TestSameState: what says nothing new is not told, and since is when the status came.
func TestSameState(t *testing.T) {
	h := newHub()
	_, events := h.subscribe(t.Context())
	first := time.Now()
	h.state(State{Target: "git", Status: Ready, Since: first}, first)
	if e := <-events; e.State.Revision != "" || e.Seq != 1 {
		t.Errorf("first %d %+v", e.Seq, e.State)
	}
	h.state(State{Target: "git", Status: Ready, Since: first.Add(time.Hour)}, first)
	h.state(State{Target: "git", Status: Ready, Revision: "new", Since: first.Add(time.Hour)}, first)
	if e := <-events; e.State.Revision != "new" || !e.State.Since.Equal(first) || e.Seq != 2 {
		t.Errorf("second %d %+v", e.Seq, e.State)
	}
}
