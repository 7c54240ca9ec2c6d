// Package tui is a walk's face on stage: one calm screen for each step, driven by single keys.
// It shows what a session of a walk reports, and tells the session what the speaker wants; it runs nothing itself.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Session is what the screen drives: a *walk.Session. Only one of its methods runs at a time.
type Session interface {
	// Walk returns the walk that is told.
	Walk() *walk.Walk
	// Position returns the index of the step that comes next; the number of steps when all are done.
	Position() int
	// Rejoined reports whether Begin found the fleet moved by somebody, and has brought it back.
	Rejoined() bool
	// Do carries out a command and reports its progress.
	Do(ctx context.Context, c walk.Command, ev walk.Events) error
}

// DefaultSpeed is how many characters a second are typed when Options does not say.
const DefaultSpeed = 30

// Options says where the screen is and how it behaves.
type Options struct {
	In       io.Reader     // where the keys come from; a terminal
	Out      io.Writer     // where the screen is; a terminal
	Environ  []string      // KEY=value of the terminal: TERM, COLORTERM, NO_COLOR
	Type     bool          // type each command as if by hand, before it runs
	Speed    int           // characters a second while typing; 0 = DefaultSpeed
	Allotted time.Duration // time for the whole walk; 0 = what the walk says
	Note     string        // one line to find on the first page and in the help, such as an address
}

// Run tells the session's walk until the speaker has finished it or quits. Quitting leaves the state and the progress
// as they are, so that the walk can go on later. It returns nil then, and ctx's error when ctx ends before. A step
// that runs when Run has to end is stopped first. Failed steps are shown and do not end the walk.
func Run(ctx context.Context, s Session, o Options) error {
	return run(ctx, newModel(ctx, s, o), o)
}

func run(ctx context.Context, m *model, o Options, more ...tea.ProgramOption) error {
	options := []tea.ProgramOption{
		tea.WithContext(ctx),
		tea.WithInput(o.In),
		tea.WithOutput(o.Out),
		tea.WithEnvironment(o.Environ),
		tea.WithoutSignalHandler(), // the caller's context ends on signals
	}
	for _, e := range o.Environ {
		// Any value counts, not only those that look like "true".
		if v, is := strings.CutPrefix(e, "NO_COLOR="); is && v != "" {
			options = append(options, tea.WithColorProfile(colorprofile.ASCII))
		}
	}
	_, err := tea.NewProgram(m, append(options, more...)...).Run()
	m.stop()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF):
		return nil // the keyboard is gone: the same as q
	case err != nil:
		return fmt.Errorf("show the walk on the terminal: %w; try --plain", err)
	}
	last := "The state stays as it is. The next run goes on from here."
	if m.ended {
		last = m.told() + "."
	}
	fmt.Fprintln(o.Out, last)
	return nil
}
