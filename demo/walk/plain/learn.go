package plain

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// checkAgain is how long a check that failed at once is left alone before it is begun again.
const checkAgain = time.Second

// Learn lets a person do a walk by hand: it shows what each step is about, and waits while the learner does it
// in a shell of their own. A step that changes something completes by itself when its state is there; a step that
// only looks shows its commands and waits for Enter. Lines on in: h shows the hint, and the second time the commands;
// s does the step; r takes back what was done of it; q quits, and the next run goes on from there.
// prelude are the lines to type first in the learner's shell.
func Learn(ctx context.Context, ses *walk.Session, s *Screen, in io.Reader, prelude []string) error {
	s.intro(ses.Walk())
	if !ses.Resumed() {
		s.opening(ses.Walk())
	}
	if err := s.begin(ctx, ses, nil); err != nil {
		return err
	}
	s.line("")
	s.line("In another terminal, type this first:")
	s.line("")
	for _, text := range prelude {
		s.line(indent + s.command.Render(text))
	}
	l := &learner{ses: ses, s: s, keys: lines(ctx, in), echo: echoes(in)}
	for ses.Position() < len(ses.Walk().Steps) {
		quit, err := l.step(ctx)
		switch {
		case err != nil:
			return err
		case quit:
			s.line("The state stays as it is. The next run goes on from here.")
			return nil
		}
	}
	s.line("")
	s.line(s.good.Render("The end: " + count(len(ses.Walk().Steps), "step") + " done."))
	if key, err := s.ask(ctx, []string{"Enter clean up", "q quit"}, l.keys, l.echo); err != nil || key == "q" {
		return err
	}
	return s.end(ctx, ses, nil)
}

// learner is where a learner is.
type learner struct {
	ses    *walk.Session
	s      *Screen
	keys   <-chan string
	echo   bool
	hinted bool // the hint of this step was shown
}

// step shows a step and returns when it is done, by whomever, or when the learner quits.
func (l *learner) step(ctx context.Context) (quit bool, err error) {
	at := l.ses.Position()
	step := &l.ses.Walk().Steps[at]
	looks := len(step.With(walk.Change)) == 0
	l.s.present(step, len(l.ses.Walk().Steps), looks)
	if !looks {
		l.s.line("")
		l.s.line(l.s.dim.Render("[goes on when it is done · h hint · s solve · r reset step · q quit]"))
	}
	l.hinted = false
	for l.ses.Position() == at {
		key := ""
		if looks {
			key, err = l.s.ask(ctx, []string{"Enter go on", "h hint", "s solve", "q quit"}, l.keys, l.echo)
		} else {
			key, err = l.wait(ctx)
		}
		if err != nil || key == "q" {
			return key == "q", err
		}
		if l.ses.Position() == at {
			l.press(ctx, key, step, looks)
		}
	}
	return false, nil
}

// press does what a key asks for.
func (l *learner) press(ctx context.Context, key string, step *walk.Step, looks bool) {
	switch key {
	case "":
		if looks {
			l.report(ctx, l.ses.Do(ctx, walk.Command{Action: walk.ActionComplete}, l.s.show(false)))
		}
	case "h":
		l.hint(step)
	case "s":
		l.s.line("")
		l.report(ctx, l.ses.Do(ctx, walk.Command{Action: walk.ActionNext}, l.s.show(true)))
	case "r":
		err := l.ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: l.ses.Position()}, l.s.brief("back: "))
		l.report(ctx, err)
		if err == nil && !looks && l.ses.HasFleet() {
			l.s.line(indent + "The fleet is back. So is your clone after: git fetch && git reset --hard origin/main")
		}
	default:
		l.s.line("There is no " + key + " here.")
	}
}

func (l *learner) report(ctx context.Context, err error) {
	if err != nil {
		l.s.fail(ctx, err)
	}
}

// hint shows the step's hint, and the second time, or when there is none, its commands.
func (l *learner) hint(step *walk.Step) {
	if l.hinted || !l.s.Hint(step) {
		for _, b := range step.With(walk.Change, walk.Look) {
			l.s.commands(&b)
		}
	}
	l.hinted = true
}

// Hint writes what helps with a step, and reports whether there is anything.
func (s *Screen) Hint(step *walk.Step) bool {
	hints := step.Hint()
	for i := range hints {
		s.listing(&hints[i])
	}
	return len(hints) > 0
}

// wait returns when the step is done or there is a line to read. The end of the input is the same as q.
func (l *learner) wait(ctx context.Context) (key string, err error) {
	checking, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		err = l.untilHeld(checking)
	}()
	select {
	case <-over:
		return "", err
	case key, more := <-l.keys:
		cancel()
		<-over // the screen and the session belong to it until then
		l.s.clearWaiting()
		if !more {
			return "q", nil
		}
		return strings.ToLower(strings.TrimSpace(key)), nil
	}
}

// untilHeld begins the step's checks again and again until they hold or ctx ends, and shows what is missing.
func (l *learner) untilHeld(ctx context.Context) error {
	start := time.Now()
	title := l.ses.Walk().Steps[l.ses.Position()].Title
	for {
		begun := time.Now()
		err := l.ses.Do(ctx, walk.Command{Action: walk.ActionComplete}, func(ev walk.Event) {
			if ev.Kind == walk.Waiting {
				l.s.wait(ev.Block, ev.Text, time.Since(start))
			}
		})
		var failed *walk.StepError
		switch {
		case err == nil:
			l.s.result(true, "done: "+title, time.Since(start))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &failed):
			return err
		}
		l.s.wait(failed.Block, failed.LastLine(), time.Since(start))
		// Checks wait by themselves. One that fails at once has nothing to wait for yet.
		pause := time.NewTimer(checkAgain - time.Since(begun))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}
