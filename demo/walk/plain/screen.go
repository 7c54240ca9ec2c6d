// Package plain shows a walk as plain lines: one step at a time, all at once,
// or beside a learner who does the steps. It drives a walk's session by
// commands and turns its events into lines of at most 72 columns.
package plain

import (
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// screenWidth is what the narration is wrapped to: a stage terminal with big letters has no more.
const screenWidth = 72

// indent is put before everything that belongs to a step.
const indent = "    "

// Screen writes a walk as plain lines, with colours where the terminal has them. It is used from one goroutine at a
// time; the events of a Runner come that way.
type Screen struct {
	w       io.Writer
	tty     bool
	cut     func() int // where lines of output end on a terminal; 0 = nowhere
	partial string     // output that has no line end yet
	waits   bool       // the cursor stands on a line that is written anew
	said    string     // what the check was last seen waiting for
	saidAt  time.Duration

	title, step, command, dim, good, bad lipgloss.Style
}

// NewScreen makes a screen on out. environ (as os.Environ gives it) says what colours the terminal has; NO_COLOR
// turns them off, and so does anything that is not a terminal.
func NewScreen(out io.Writer, environ []string) *Screen {
	w := colorprofile.NewWriter(out, environ)
	for _, e := range environ {
		if v, is := strings.CutPrefix(e, "NO_COLOR="); is && v != "" {
			w.Profile = min(w.Profile, colorprofile.ASCII)
		}
	}
	s := &Screen{
		w:       w,
		cut:     func() int { return 0 },
		title:   lipgloss.NewStyle().Bold(true),
		step:    lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Blue),
		command: lipgloss.NewStyle().Bold(true),
		dim:     lipgloss.NewStyle().Faint(true),
		good:    lipgloss.NewStyle().Foreground(lipgloss.Green),
		bad:     lipgloss.NewStyle().Foreground(lipgloss.Red),
	}
	if f, is := out.(term.File); is && term.IsTerminal(f.Fd()) {
		s.tty = true
		s.cut = func() int {
			width, _, err := term.GetSize(f.Fd())
			if err != nil || width < screenWidth {
				return screenWidth
			}
			return width
		}
	}
	return s
}

// Record has everything that the screen shows written to w too, with colours.
func (s *Screen) Record(w io.Writer) { s.w = io.MultiWriter(s.w, w) }

// line writes one line, of which only text and colours reach the terminal and the recording. It ignores errors, so that a
// walk goes on if the terminal fails.
func (s *Screen) line(text string) {
	s.clearWaiting()
	_, _ = fmt.Fprintln(s.w, plaintext.Coloured(strings.TrimRight(text, " ")))
}

// Heading writes which step it is.
func (s *Screen) Heading(step *walk.Step, total int) {
	s.line("")
	s.line(s.step.Render(fmt.Sprintf("%d/%d %s", step.Number, total, step.Title)))
}

// typed writes a command as it is typed.
func (s *Screen) typed(c *walk.ShellCommand) {
	for i, text := range strings.Split(c.Text, "\n") {
		mark := "$ "
		if i > 0 {
			mark = "  "
		}
		s.line(indent + s.dim.Render(mark) + s.command.Render(text))
	}
}

// prose writes narration, wrapped between words.
func (s *Screen) prose(b *walk.Block) {
	for _, p := range b.Paragraphs() {
		if p.Bullet == "" {
			s.line("")
		}
		for i, text := range wrap(p.Text, screenWidth-len(p.Bullet)) {
			mark := p.Bullet
			if i > 0 {
				mark = strings.Repeat(" ", len(p.Bullet))
			}
			s.line(mark + text)
		}
	}
}

// result writes a line with a mark and the time at its end.
func (s *Screen) result(ok bool, text string, took time.Duration) {
	mark := s.good.Render("✓")
	if !ok {
		mark = s.bad.Render("✗")
	}
	spent := walk.Seconds(took)
	gap := screenWidth - len(indent) - 2 - ansi.StringWidth(text) - len(spent)
	s.line(indent + mark + " " + text + strings.Repeat(" ", max(gap, 2)) + s.dim.Render(spent))
}

// output writes what a command wrote, in whole lines.
func (s *Screen) output(text string) {
	lines := strings.Split(s.partial+text, "\n")
	s.partial = lines[len(lines)-1]
	for _, l := range lines[:len(lines)-1] {
		l = indent + strings.ReplaceAll(plaintext.Last(l), "\t", "    ")
		if width := s.cut(); width > 0 {
			l = ansi.Truncate(l, width, "…")
		}
		s.line(s.dim.Render(l))
	}
}

// note writes a line to the presenter.
func (s *Screen) note(text string) {
	for _, l := range wrap(text, screenWidth-len(indent)) {
		s.line(indent + s.dim.Render(l))
	}
}

// flush ends a last line of output that has no line end.
func (s *Screen) flush() {
	if s.partial != "" {
		s.output("\n")
	}
}

// wait says what a check is still waiting for: on a terminal in one line that is written anew, in a log when there
// is something new to say, and every ten seconds.
func (s *Screen) wait(b *walk.Block, last string, elapsed time.Duration) {
	text := indent + "… " + b.Name()
	if last != "" {
		text += ": " + last
	}
	text = plaintext.Line(text)
	if s.tty {
		spent := "  " + walk.Seconds(elapsed)
		s.clearWaiting()
		_, _ = fmt.Fprint(s.w, s.dim.Render(ansi.Truncate(text, screenWidth-len(spent), "…")+spent))
		s.waits = true
		return
	}
	if text == s.said && elapsed < s.saidAt+10*time.Second {
		return
	}
	s.said, s.saidAt = text, elapsed
	s.line(text)
}

func (s *Screen) clearWaiting() {
	if s.waits {
		_, _ = fmt.Fprint(s.w, "\r"+ansi.EraseEntireLine)
		s.waits = false
	}
}

// Commands is the Events that shows commands as they run, what they write, and which checks hold.
func (s *Screen) Commands() walk.Events { return s.show(true) }

// Checks is the Events that shows what is waited for, and which checks hold.
func (s *Screen) Checks() walk.Events { return s.show(false) }

// show is the Events of a screen. Commands are written as they run when typed is true.
func (s *Screen) show(typed bool) walk.Events {
	return func(ev walk.Event) {
		check := ev.Block != nil && ev.Block.Role == walk.Check
		switch ev.Kind {
		case walk.Note:
			s.note(ev.Text)
		case walk.BlockStart:
			s.said, s.saidAt = "", 0
		case walk.CommandStart:
			if typed && !check {
				s.typed(ev.Command)
			}
		case walk.Output:
			if !check {
				s.output(ev.Text)
			}
		case walk.Waiting:
			s.wait(ev.Block, ev.Text, ev.Elapsed)
		case walk.CommandEnd:
			s.flush()
		case walk.BlockEnd:
			s.clearWaiting()
			if check || ev.Err != nil {
				s.result(ev.Err == nil, ev.Block.Name(), ev.Elapsed)
			}
		}
	}
}

// waiting is the Events of something of which only what it waits for is shown.
func (s *Screen) waiting() walk.Events {
	return func(ev walk.Event) {
		if ev.Kind == walk.Waiting {
			s.wait(ev.Block, ev.Text, ev.Elapsed)
		}
	}
}

// brief is the Events of a step of which only the end is worth a line, with what is done to it in front.
func (s *Screen) brief(what string) walk.Events {
	waiting := s.waiting()
	return func(ev walk.Event) {
		waiting(ev)
		switch ev.Kind {
		case walk.Note:
			s.note(ev.Text)
		case walk.StepEnd:
			s.result(ev.Err == nil, what+ev.Step.Title, ev.Elapsed)
		}
	}
}

// wrap breaks a text between its words; a word that is longer than a line has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && ansi.StringWidth(line)+1+ansi.StringWidth(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
