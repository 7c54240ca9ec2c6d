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

// Interactive tells a walk step by step: it shows what is said and typed, and waits for a line on in before it runs
// it. Enter runs the step, b takes the last one back, r does it again, s brings the step about silently, g and a
// number go to that step, q quits. After a failed step, n goes on all the same. Steps that fail are shown and do
// not end the walk.
// It returns nil when the walk was told or the speaker quit, and ctx's error when it was interrupted. Quitting leaves
// the state as it is, and the next run goes on from there.
// One read of in may be left waiting when ctx ends.
func Interactive(ctx context.Context, ses *walk.Session, s *Screen, in io.Reader) error {
	w := ses.Walk()
	s.intro(w)
	if ses.Resumed() {
		s.line(s.dim.Render(fmt.Sprintf("goes on at step %d; g 1 goes back to the start", min(ses.Position()+1, len(w.Steps)))))
	} else {
		s.opening(w)
	}
	if err := s.begin(ctx, ses, nil); err != nil {
		return err
	}
	if ses.Rejoined() {
		s.line(s.dim.Render(movedNote))
	}
	t := &teller{ses: ses, s: s, keys: lines(ctx, in), echo: echoes(in)}
	t.present()
	for !t.over {
		key, err := t.ask(ctx)
		switch {
		case err != nil:
			return err
		case key == "q":
			s.line("The state stays as it is. The next run goes on from here.")
			return nil
		}
		t.press(ctx, key)
	}
	return s.end(ctx, ses, nil)
}

// movedNote is said when a walk is taken up and finds the fleet elsewhere.
const movedNote = "Somebody has moved the fleet since; it is back where this walk was."

// opening writes what is said before the first step.
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

// teller is where an interactive walk is.
type teller struct {
	ses  *walk.Session
	s    *Screen
	keys <-chan string
	echo bool
	over bool
}

func (t *teller) steps() []walk.Step { return t.ses.Walk().Steps }

// ask shows what can be done now and waits for a line. The end of the input is the same as q.
func (t *teller) ask(ctx context.Context) (string, error) {
	at, failed := t.ses.Position(), t.ses.Begun()
	options := []string{"Enter run"}
	switch {
	case failed:
		options = []string{"Enter try again", "n next"}
	case at == len(t.steps()):
		options = []string{"Enter finish"}
	}
	if at > 0 || failed {
		options = append(options, "b back")
	}
	if at > 0 && !failed {
		options = append(options, "r again")
	}
	if at < len(t.steps()) {
		options = append(options, "s skip")
	}
	options = append(options, "g N go to", "q quit")
	return t.s.ask(ctx, options, t.keys, t.echo)
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
func (t *teller) press(ctx context.Context, key string) {
	at, failed := t.ses.Position(), t.ses.Begun()
	last := at == len(t.steps())
	letter, number, _ := strings.Cut(key, " ")
	switch {
	case key == "" && last:
		t.over = true
	case key == "", key == "r" && failed:
		t.do(ctx, walk.Command{Action: walk.ActionNext}, t.s.show(t.many(at)))
	case key == "s" && !last:
		t.do(ctx, walk.Command{Action: walk.ActionNext}, t.s.brief("skipped: "))
	case key == "n" && failed:
		t.do(ctx, walk.Command{Action: walk.ActionSkip}, nil)
	case key == "r" && at > 0:
		if err := t.ses.Do(ctx, walk.Command{Action: walk.ActionBack}, t.s.brief("back: ")); err != nil {
			t.s.fail(ctx, err)
			return
		}
		t.s.heading(&t.steps()[at-1], len(t.steps()))
		t.do(ctx, walk.Command{Action: walk.ActionNext}, t.s.show(true))
	case key == "b" && (failed || at > 0):
		t.do(ctx, walk.Command{Action: walk.ActionBack}, t.s.brief("back: "))
	case strings.HasPrefix(letter, "g"):
		n, err := strconv.Atoi(strings.TrimSpace(key[1:]))
		if err != nil || n < 1 || n > len(t.steps())+1 {
			t.s.line(fmt.Sprintf("There is no step %q: g 1 to g %d go to a step.", strings.TrimSpace(letter[1:]+number), len(t.steps())))
			return
		}
		what := "prepared: "
		if n-1 <= at {
			what = "back: "
		}
		t.do(ctx, walk.Command{Action: walk.ActionGoTo, Step: n - 1}, t.s.brief(what))
	default:
		t.s.line("There is no " + key + " here.")
	}
}

// do carries out a command, and shows how it went and what comes now.
func (t *teller) do(ctx context.Context, c walk.Command, ev walk.Events) {
	if err := t.ses.Do(ctx, c, ev); err != nil {
		t.s.fail(ctx, err)
		return
	}
	t.present()
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
func (t *teller) many(i int) bool {
	n := 0
	for _, b := range t.steps()[i].With(walk.Change, walk.Look) {
		n += len(b.Commands)
	}
	return n > 1
}

// present shows the next step: what is said, what will be typed, and what is waited for.
func (t *teller) present() {
	at := t.ses.Position()
	if at == len(t.steps()) {
		t.s.line("")
		t.s.line(t.s.good.Render("The end: " + count(at, "step") + " told."))
		return
	}
	t.s.present(&t.steps()[at], len(t.steps()), true)
}

// present shows what is said in a step and, with typed, its commands.
func (s *Screen) present(step *walk.Step, total int, typed bool) {
	s.heading(step, total)
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

// listing writes a block as it stands.
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
