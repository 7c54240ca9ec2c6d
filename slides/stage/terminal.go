package stage

import (
	"fmt"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/plain"
)

// terminalBytes is how much of the terminal's output a browser gets that connects late.
const terminalBytes = 64 << 10

// transcript is the end of the terminal's output. Offsets count from its first byte.
type transcript struct {
	filter plaintext.Filter // browsers obey what a terminal obeys
	text   []byte
	start  int64 // offset of text
}

// terminalModel is a piece of what the terminal shows.
type terminalModel struct {
	Offset int64  `json:"offset"` // where the text starts, in bytes since the terminal was opened
	Text   string `json:"text"`   // with colours, as a terminal has them
}

// add appends the text and the colours of p, and returns them as browsers get them.
func (t *transcript) add(p []byte) terminalModel {
	p = t.filter.Append(nil, p)
	m := terminalModel{Offset: t.start + int64(len(t.text)), Text: string(p)}
	t.text = append(t.text, p...)
	if over := len(t.text) - terminalBytes; over > 0 {
		t.text = append([]byte(nil), t.text[over:]...)
		t.start += int64(over)
	}
	return m
}

// all is everything that is still known.
func (t *transcript) all() terminalModel { return terminalModel{t.start, string(t.text)} }

// say writes on the terminal. The stage is locked.
func (s *Stage) say(text string) { s.send("terminal", s.terminal.add([]byte(text))) }

// terminalWriter is the stage's terminal as a writer.
type terminalWriter struct{ s *Stage }

// Write implements io.Writer.
func (w terminalWriter) Write(p []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.say(string(p))
	return len(p), nil
}

// colours is the environment of the terminal that browsers show.
func colours() []string { return []string{"TERM=xterm-256color", "CLICOLOR_FORCE=1"} }

// openly is the Events that shows the commands of a step and their output.
func (s *Stage) openly() walk.Events {
	screen := plain.NewScreen(terminalWriter{s}, colours())
	show := screen.Commands()
	return func(e walk.Event) {
		switch e.Kind {
		case walk.StepStart:
			if e.Step.Number > 0 {
				fmt.Fprintf(terminalWriter{s}, "\n\x1b[1;34m%s\x1b[0m\n", e.Step.Title)
			}
		case walk.BlockStart:
			s.checking(e.Block.Role == walk.Check, "")
		case walk.Waiting:
			s.checking(true, e.Text)
		}
		show(e)
	}
}

// quietly is the Events of a command that gets only one line, at its end; what begins the line.
func (s *Stage) quietly(what string) walk.Events {
	return func(e walk.Event) {
		switch {
		case e.Kind == walk.Waiting:
			s.checking(true, e.Text)
		case e.Kind == walk.Note:
			fmt.Fprintf(terminalWriter{s}, "\x1b[2m%s\x1b[0m\n", e.Text)
		case e.Kind == walk.StepEnd && e.Err == nil:
			fmt.Fprintf(terminalWriter{s}, "\x1b[2m%s%s\x1b[0m\n", what, e.Step.Title)
		}
	}
}

// checking sets whether the step runs a check, and the last line of the check's output.
func (s *Stage) checking(is bool, said string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.working == nil {
		return
	}
	w := *s.working
	switch {
	case is && w.Phase == Running:
		w.Phase = Checking
	case !is && w.Phase == Checking:
		w.Phase = Running
	}
	w.Waiting = said
	if w.Phase != s.working.Phase || w.Waiting != s.working.Waiting {
		s.setWorking(&w)
	}
}
