package walk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/term"
)

// Interactive tells a walk step by step: it shows what is said and typed, and waits for a line on in before it runs
// it. Enter runs the step, b takes the last one back, r does it again, s brings the step about silently, q quits.
// After a failed step, n goes on all the same. Steps that fail are shown and do not end the walk.
// It returns nil when the walk was told or the speaker quit, and ctx's error when it was interrupted. Quitting leaves
// the state as it is, for a look around; the setup of the next run starts afresh.
// One read of in may be left waiting when ctx ends.
func Interactive(ctx context.Context, r *Runner, s *Screen, in io.Reader) error {
	w := r.Walk()
	s.intro(w)
	for i := range w.Intro {
		s.prose(&w.Intro[i])
	}
	if err := s.quietly(w.Setup, func(ev Events) error { return r.Setup(ctx, ev) }); err != nil {
		return err
	}
	t := &teller{r: r, s: s, keys: lines(ctx, in)}
	if f, is := in.(term.File); is && term.IsTerminal(f.Fd()) {
		t.echo = true
	}
	t.present()
	for t.at <= len(w.Steps) {
		key, err := t.ask(ctx)
		switch {
		case err != nil:
			return err
		case key == "q":
			s.line("The state stays as it is. The next run starts from the beginning.")
			return nil
		}
		t.press(ctx, key)
	}
	return s.cleanup(ctx, r)
}

// teller is where an interactive walk is.
type teller struct {
	r      *Runner
	s      *Screen
	keys   <-chan string
	at     int  // the step that comes next; one past the last when the walk is told, two past when it is over
	echo   bool // the terminal shows what is typed, the line end included
	failed bool // that step was begun and did not succeed
}

// ask shows what can be done now and waits for a line. The end of the input is the same as q.
func (t *teller) ask(ctx context.Context) (string, error) {
	options := []string{"Enter run"}
	switch {
	case t.failed:
		options = []string{"Enter try again", "n next"}
	case t.at == len(t.r.Walk().Steps):
		options = []string{"Enter finish"}
	}
	if t.at > 0 || t.failed {
		options = append(options, "b back")
	}
	if t.at > 0 && !t.failed {
		options = append(options, "r again")
	}
	if t.at < len(t.r.Walk().Steps) {
		options = append(options, "s skip")
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	t.s.line("")
	_, _ = fmt.Fprint(t.s.w, t.s.dim.Render("["+strings.Join(append(options, "q quit"), " · ")+"]")+" ")
	select {
	case <-ctx.Done():
		t.s.line("")
		return "", ctx.Err()
	case key, more := <-t.keys:
		if !more {
			t.s.line("")
			return "q", nil
		}
		if !t.echo {
			t.s.line("")
		}
		return strings.ToLower(strings.TrimSpace(key)), nil
	}
}

// press does what a key asks for.
func (t *teller) press(ctx context.Context, key string) {
	last := t.at >= len(t.r.Walk().Steps)
	switch {
	case key == "" && last:
		t.at++
	case key == "", key == "r" && t.failed:
		t.run(ctx, t.at, t.s.show(t.many()))
	case key == "s" && !last:
		t.run(ctx, t.at, func(ev Event) {
			if ev.Kind == Waiting {
				t.s.wait(ev.Block, ev.Text, ev.Elapsed)
			}
			if ev.Kind == StepEnd {
				t.s.result(ev.Err == nil, "skipped: "+ev.Step.Title, ev.Elapsed)
			}
		})
	case key == "n" && t.failed:
		t.at, t.failed = t.at+1, false
		t.present()
	case key == "r" && t.at > 0:
		t.at, t.failed = t.at-1, true
		t.s.heading(&t.r.Walk().Steps[t.at], len(t.r.Walk().Steps))
		t.run(ctx, t.at, t.s.show(true))
	case key == "b" && t.failed:
		t.back(ctx, t.at)
	case key == "b" && t.at > 0:
		t.back(ctx, t.at-1)
	default:
		t.s.line("There is no " + key + " here.")
	}
}

// run does step i; what a failed try has left is taken back first, so that a second one starts where the first did.
func (t *teller) run(ctx context.Context, i int, ev Events) {
	if t.failed && !t.undo(ctx, i) {
		return
	}
	t.failed = true
	if err := t.r.RunStep(ctx, i, ev); err != nil {
		t.fail(ctx, err)
		return
	}
	t.at, t.failed = i+1, false
	t.present()
}

// back takes step i back and shows it again.
func (t *teller) back(ctx context.Context, i int) {
	if !t.undo(ctx, i) {
		return
	}
	t.at, t.failed = i, false
	t.present()
}

func (t *teller) undo(ctx context.Context, i int) bool {
	step := &t.r.Walk().Steps[i]
	if len(step.Undo()) == 0 {
		return true
	}
	back := *step
	back.Title = "back: " + step.Title
	err := t.s.quietly(&back, func(ev Events) error { return t.r.Undo(ctx, i, ev) })
	if err != nil {
		t.at, t.failed = i, true
		t.fail(ctx, err)
	}
	return err == nil
}

// fail shows why a step failed. An interruption is no news to the one who made it.
func (t *teller) fail(ctx context.Context, err error) {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return
	}
	what, details, _ := strings.Cut(err.Error(), "\n")
	t.s.line("")
	for _, text := range wrap(what, screenWidth) {
		t.s.line(t.s.bad.Render(text))
	}
	if details != "" {
		t.s.line(details)
	}
}

// many reports whether the next step has so many commands that each is shown again when it runs.
func (t *teller) many() bool {
	n := 0
	for _, b := range t.r.Walk().Steps[t.at].with(Change, Look) {
		n += len(b.Commands)
	}
	return n > 1
}

// present shows the next step: what is said, what will be typed, and what is waited for.
func (t *teller) present() {
	w := t.r.Walk()
	if t.at >= len(w.Steps) {
		t.s.line("")
		t.s.line(t.s.good.Render("The end: " + count(len(w.Steps), "step") + " told."))
		return
	}
	step := &w.Steps[t.at]
	t.s.heading(step, len(w.Steps))
	for i := range step.Blocks {
		b := &step.Blocks[i]
		switch b.Role {
		case Prose:
			t.s.prose(b)
		case Listing:
			t.s.line("")
			for _, text := range strings.Split(strings.TrimRight(b.Text, "\n"), "\n") {
				t.s.line(indent + text)
			}
		case Change, Look:
			t.s.line("")
			for j := range b.Commands {
				t.s.typed(&b.Commands[j])
			}
		}
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
