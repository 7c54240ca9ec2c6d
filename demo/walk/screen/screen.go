// Package screen runs a full-screen program on a terminal, and says how it has ended. What is on the screen, and what
// stands on the terminal afterwards, is the caller's.
package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// Terminal is where the screen is.
type Terminal struct {
	In      io.Reader // where the keys come from
	Out     io.Writer // where the screen is
	Environ []string  // KEY=value of the terminal: TERM, COLORTERM, NO_COLOR
}

// View returns a full screen with these lines, of which only text and colours reach the terminal.
func View(lines []string) tea.View {
	v := tea.NewView(plaintext.Coloured(strings.Join(lines, "\n")))
	v.AltScreen = true
	return v
}

// New returns a program that shows a model on a terminal until ctx ends. Run runs it.
func New(ctx context.Context, on Terminal, model tea.Model, more ...tea.ProgramOption) *tea.Program {
	options := []tea.ProgramOption{
		tea.WithContext(ctx),
		tea.WithInput(on.In),
		tea.WithOutput(on.Out),
		tea.WithEnvironment(on.Environ),
		tea.WithoutSignalHandler(), // the caller's context ends on signals
	}
	for _, e := range on.Environ {
		// Any value counts, not only those that look like "true".
		if v, is := strings.CutPrefix(e, "NO_COLOR="); is && v != "" {
			options = append(options, tea.WithColorProfile(colorprofile.ASCII))
		}
	}
	return tea.NewProgram(model, append(options, more...)...)
}

// Run runs a program until it quits, and calls stop when the screen is gone. It returns the error of ctx if that has
// ended, and io.EOF if the keyboard is gone.
func Run(ctx context.Context, program *tea.Program, stop func()) error {
	_, err := program.Run()
	stop()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return fmt.Errorf("showing the walk on the terminal: %w; try --plain", err)
	}
	return nil
}
