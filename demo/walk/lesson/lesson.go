// Package lesson shows a walk to a learner, who does its steps in another terminal: the task, hints, and which checks
// pass. It is driven by single keys and gives commands to the walk's session; it runs nothing itself.
package lesson

import (
	"context"
	"errors"
	"fmt"
	"io"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/screen"
)

// Session is what the screen drives: a *walk.Session.
type Session interface {
	Walk() *walk.Walk
	// Position returns the index of the step that comes next; the number of steps when all are done.
	Position() int
	// Hints returns how many hints of that step the learner has seen.
	Hints() int
	// HasFleet reports whether going back moves the fleet's branch.
	HasFleet() bool
	// Rejoined reports whether ActionBegin has restored a fleet that had moved.
	Rejoined() bool
	// Do carries out a command and reports its progress. One at a time.
	Do(ctx context.Context, c walk.Command, ev walk.Events) error
}

// Options says where the screen is.
type Options struct {
	In      io.Reader // where the keys come from; a terminal
	Out     io.Writer // where the screen is; a terminal
	Environ []string  // KEY=value of the terminal: TERM, COLORTERM, NO_COLOR
	Prelude []string  // lines to type first in the learner's shell
}

// Run shows the session's walk until the learner finishes it or quits. Quitting keeps the state and the progress. Run
// then returns nil, and ctx's error when ctx ends first.
func Run(ctx context.Context, s Session, o Options) error {
	return run(ctx, newModel(ctx, s, o), o)
}

func run(ctx context.Context, m *model, o Options, more ...tea.ProgramOption) error {
	program := screen.New(ctx, screen.Terminal{In: o.In, Out: o.Out, Environ: o.Environ}, m, more...)
	m.send = program.Send
	// A keyboard that is gone is the same as q.
	if err := screen.Run(ctx, program, m.stop); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	last := "The state is kept. The next run resumes here."
	if m.ended {
		last = "The end. What the walk has made is removed."
	}
	fmt.Fprintln(o.Out, last)
	return nil
}
