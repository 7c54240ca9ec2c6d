package walk

import (
	"sync"
	"time"
)

// EventKind says what happened in a run.
type EventKind string

// The events of a step, in the order in which they come: for each block BlockStart, then for each of its commands
// CommandStart, any number of Output, and CommandEnd, then BlockEnd. Waiting comes about once a second while a check
// has not ended. Note comes before them, when there is something to tell the user.
const (
	Note         EventKind = "note"
	StepStart    EventKind = "step-start"
	BlockStart   EventKind = "block-start"
	CommandStart EventKind = "command-start"
	Output       EventKind = "output"
	Waiting      EventKind = "waiting"
	CommandEnd   EventKind = "command-end"
	BlockEnd     EventKind = "block-end"
	StepEnd      EventKind = "step-end"
)

// Event is one thing that happened in a run. Step is always set; Block and Command where they apply.
type Event struct {
	Kind    EventKind
	Step    *Step
	Block   *Block
	Command *ShellCommand
	Text    string        // Note: a line; Output: what was written; Waiting: the last line that the check wrote, "" when it wrote none
	Elapsed time.Duration // ends and Waiting: since the start of what the event is about
	Err     error         // ends: why it failed, nil when it did not
}

// Events receives the events of a run as they happen, one at a time. A nil Events drops them.
type Events func(Event)

// Both returns an Events that passes each event to a, then to b. Either may be nil.
func Both(a, b Events) Events {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(ev Event) { a(ev); b(ev) }
}

// emitter hands on events one at a time: a command's output comes from other goroutines than the run itself.
type emitter struct {
	mu sync.Mutex
	to Events
}

func (e *emitter) emit(ev Event) {
	if e.to == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.to(ev)
}
