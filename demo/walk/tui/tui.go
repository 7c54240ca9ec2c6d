// Package tui shows a walk in a terminal: one page for each step, driven by single keys. It turns keys into
// commands for the walk's session, and shows what that reports; it runs nothing itself.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/screen"
)

// Session is what the screen drives: a *walk.Session. Only one of its methods runs at a time.
type Session interface {
	// Walk returns the walk.
	Walk() *walk.Walk
	// Position returns the index of the step that comes next; the number of steps when all are done.
	Position() int
	// Rejoined reports whether ActionBegin has restored a fleet that had moved.
	Rejoined() bool
	// Do carries out a command and reports its progress.
	Do(ctx context.Context, c walk.Command, ev walk.Events) error
}

// DefaultSpeed is the typing speed in characters per second when Options.Speed is 0.
const DefaultSpeed = 30

// Options says where the screen is and how it behaves.
type Options struct {
	In       io.Reader     // where the keys come from; a terminal
	Out      io.Writer     // where the screen is; a terminal
	Environ  []string      // KEY=value of the terminal: TERM, COLORTERM, NO_COLOR
	Type     bool          // type each command as if by hand, before it runs
	Speed    int           // typing speed in characters per second; 0 = DefaultSpeed
	Allotted time.Duration // time for the whole walk; 0 = the walk's own duration
	Note     string        // one line on the first page and in the help, such as an address
}

// Run shows the session's walk until the user finishes it or quits. Quitting keeps the state and the progress, so that
// the walk can resume later. Run then returns nil, and ctx's error when ctx ends first. It stops a running step before
// it returns. A failed step does not end the walk.
func Run(ctx context.Context, s Session, o Options) error {
	return run(ctx, newModel(ctx, s, o), o)
}

func run(ctx context.Context, m *model, o Options, more ...tea.ProgramOption) error {
	program := screen.New(ctx, screen.Terminal{In: o.In, Out: o.Out, Environ: o.Environ}, m, more...)
	switch err := screen.Run(ctx, program, m.stop); {
	case errors.Is(err, io.EOF):
		return nil // the keyboard is gone: the same as q
	case err != nil:
		return err
	}
	last := "The state is kept. The next run resumes here."
	if m.ended {
		last = m.summary() + "."
	}
	fmt.Fprintln(o.Out, last)
	return nil
}
