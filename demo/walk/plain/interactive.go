package plain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/term"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Interactive runs a walk step by step: it shows the text and the commands of a step, and waits for a line on in before
// it runs them. Enter runs the step, b undoes the last one, r repeats it, s runs the step without output, g and a number
// go to that step, and q quits. After a failed step, n continues. A failed step does not end the walk.
// Interactive returns nil at the end of the walk or when the user quits, and ctx's error when it was interrupted.
// Quitting keeps the state, and the next run resumes it. One read of in may still be waiting when ctx ends.
func Interactive(ctx context.Context, ses *walk.Session, s *Screen, in io.Reader) error {
	w := ses.Walk()
	s.intro(w)
	if ses.Resumed() {
		s.line(s.dim.Render(fmt.Sprintf("Resuming at step %d. To start again, type g 1.", min(ses.Position()+1, len(w.Steps)))))
	} else {
		s.opening(w)
	}
	if err := s.begin(ctx, ses, nil); err != nil {
		return err
	}
	if ses.Rejoined() {
		s.line(s.dim.Render(walk.FleetRestored))
	}
	p := &presenter{ses: ses, s: s, keys: lines(ctx, in), echo: echoes(in)}
	p.present()
	for !p.over {
		key, err := p.ask(ctx)
		switch {
		case err != nil:
			return err
		case key == "q":
			s.line("The state is kept. The next run resumes here.")
			return nil
		}
		p.press(ctx, key)
	}
	return s.end(ctx, ses, nil)
}

// opening writes the text before the first step.
func (s *Screen) opening(w *walk.Walk) {
	for i := range w.Intro {
		s.prose(&w.Intro[i])
	}
}

// echoes reports whether a terminal shows what is typed, the line end included.
func echoes(in io.Reader) bool {
	f, is := in.(term.File)
	return is && term.IsTerminal(f.Fd())
}

// presenter is an interactive walk under way.
type presenter struct {
	ses  *walk.Session
	s    *Screen
	keys <-chan string
	echo bool
	over bool
}

func (p *presenter) steps() []walk.Step { return p.ses.Walk().Steps }

// ask shows what can be done now and waits for a line. The end of the input is the same as q.
func (p *presenter) ask(ctx context.Context) (string, error) {
	at, failed := p.ses.Position(), p.ses.Begun()
	options := []string{"Enter run"}
	switch {
	case failed:
		options = []string{"Enter try again", "n next"}
	case at == len(p.steps()):
		options = []string{"Enter finish"}
	}
	if at > 0 || failed {
		options = append(options, "b back")
	}
	if at > 0 && !failed {
		options = append(options, "r again")
	}
	if at < len(p.steps()) {
		options = append(options, "s skip")
	}
	options = append(options, "g N go to", "q quit")
	return p.s.ask(ctx, options, p.keys, p.echo)
}

// ask shows what can be done and waits for a line.
func (s *Screen) ask(ctx context.Context, options []string, keys <-chan string, echo bool) (string, error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	s.line("")
	_, _ = fmt.Fprint(s.w, s.dim.Render("["+strings.Join(options, " · ")+"]")+" ")
	select {
	case <-ctx.Done():
		s.line("")
		return "", ctx.Err()
	case key, more := <-keys:
		if !more {
			s.line("")
			return "q", nil
		}
		if !echo {
			s.line("")
		}
		return strings.ToLower(strings.TrimSpace(key)), nil
	}
}

// press does what a key asks for.
func (p *presenter) press(ctx context.Context, key string) {
	at, failed := p.ses.Position(), p.ses.Begun()
	last := at == len(p.steps())
	letter, number, _ := strings.Cut(key, " ")
	switch {
	case key == "" && last:
		p.over = true
	case key == "", key == "r" && failed:
		p.do(ctx, walk.Command{Action: walk.ActionNext}, p.s.show(p.many(at)))
	case key == "s" && !last:
		p.do(ctx, walk.Command{Action: walk.ActionNext}, p.s.brief("skipped: "))
	case key == "n" && failed:
		p.do(ctx, walk.Command{Action: walk.ActionSkip}, nil)
	case key == "r" && at > 0:
		if err := p.ses.Do(ctx, walk.Command{Action: walk.ActionBack}, p.s.brief("back: ")); err != nil {
			p.s.fail(ctx, err)
			return
		}
		p.s.Heading(&p.steps()[at-1], len(p.steps()))
		p.do(ctx, walk.Command{Action: walk.ActionNext}, p.s.show(true))
	case key == "b" && (failed || at > 0):
		p.do(ctx, walk.Command{Action: walk.ActionBack}, p.s.brief("back: "))
	case strings.HasPrefix(letter, "g"):
		n, err := strconv.Atoi(strings.TrimSpace(key[1:]))
		if err != nil || n < 1 || n > len(p.steps())+1 {
			p.s.line(fmt.Sprintf("There is no step %q. Valid steps: g 1 to g %d.", strings.TrimSpace(letter[1:]+number), len(p.steps())))
			return
		}
		what := "prepared: "
		if n-1 <= at {
			what = "back: "
		}
		p.do(ctx, walk.Command{Action: walk.ActionGoTo, Step: n - 1}, p.s.brief(what))
	default:
		p.s.line("Unknown key " + key + ".")
	}
}

// do carries out a command, and shows how it went and what comes now.
func (p *presenter) do(ctx context.Context, c walk.Command, ev walk.Events) {
	if err := p.ses.Do(ctx, c, ev); err != nil {
		p.s.fail(ctx, err)
		return
	}
	p.present()
}

// fail shows why a step failed. An interruption is no news to the one who made it.
func (s *Screen) fail(ctx context.Context, err error) {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return
	}
	what, details, _ := strings.Cut(err.Error(), "\n")
	s.line("")
	for _, text := range wrap(what, screenWidth) {
		s.line(s.bad.Render(text))
	}
	if details != "" {
		s.line(details)
	}
}

// many reports whether step i has so many commands that each is shown again when it runs.
func (p *presenter) many(i int) bool {
	n := 0
	for _, b := range p.steps()[i].With(walk.Change, walk.Look) {
		n += len(b.Commands)
	}
	return n > 1
}

// present shows the next step: its text, its commands, and its checks.
func (p *presenter) present() {
	at := p.ses.Position()
	if at == len(p.steps()) {
		p.s.line("")
		p.s.line(p.s.good.Render("The end: " + count(at, "step") + " done."))
		return
	}
	p.s.present(&p.steps()[at], len(p.steps()), true)
}

// present shows the text of a step and, with typed, its commands.
func (s *Screen) present(step *walk.Step, total int, typed bool) {
	s.Heading(step, total)
	for i := range step.Blocks {
		b := &step.Blocks[i]
		switch {
		case b.Role == walk.Prose:
			s.prose(b)
		case b.Role == walk.Listing:
			s.listing(b)
		case typed && (b.Role == walk.Change || b.Role == walk.Look):
			s.commands(b)
		}
	}
}

// commands writes a block's commands as they are typed.
func (s *Screen) commands(b *walk.Block) {
	s.line("")
	for j := range b.Commands {
		s.typed(&b.Commands[j])
	}
}

// listing writes a block unchanged.
func (s *Screen) listing(b *walk.Block) {
	s.line("")
	for _, text := range strings.Split(strings.TrimRight(b.Text, "\n"), "\n") {
		s.line(indent + text)
	}
}

// lines reads lines in the background, so that waiting for one can be interrupted.
func lines(ctx context.Context, in io.Reader) <-chan string {
	out := make(chan string)
	go func() {
		defer close(out)
		scan := bufio.NewScanner(in)
		for scan.Scan() {
			select {
			case out <- scan.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
