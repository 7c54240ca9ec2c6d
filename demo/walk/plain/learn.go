package plain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// checkAgain is the shortest time between two starts of a check.
const checkAgain = time.Second

// Learn shows the task of each step of a walk, and waits while the learner does it in another shell. A step that changes
// something completes as soon as its checks pass; a step that only looks shows its commands and waits for Enter. Lines on
// in: h shows the next hint; c says what is not done yet; s does the step; r undoes it; b undoes the step before; q quits, and the
// next run resumes. prelude are the lines to type first in the learner's shell.
func Learn(ctx context.Context, ses *walk.Session, s *Screen, in io.Reader, prelude []string) error {
	return newLearner(ses, s, in).learn(ctx, prelude)
}

func newLearner(ses *walk.Session, s *Screen, in io.Reader) *learner {
	return &learner{ses: ses, s: s, in: in, echo: echoes(in), again: checkAgain}
}

func (l *learner) learn(ctx context.Context, prelude []string) error {
	ses, s := l.ses, l.s
	s.intro(ses.Walk())
	if !ses.Resumed() {
		s.opening(ses.Walk())
	}
	if err := s.begin(ctx, ses, nil); err != nil {
		return err
	}
	if ses.Rejoined() {
		s.line(s.dim.Render(walk.FleetRestored))
		l.follow(nil)
	}
	l.keys = lines(ctx, l.in)
	s.line("")
	s.line("In another terminal, run these commands first:")
	s.line("")
	for _, text := range prelude {
		s.line(indent + s.command.Render(text))
	}
	for {
		quit, err := l.step(ctx)
		switch {
		case err != nil:
			return err
		case quit:
			s.line("The state is kept. The next run resumes here.")
			return nil
		case ses.Position() < len(ses.Walk().Steps):
			continue
		}
		s.line("")
		s.line(s.good.Render("The end: " + count(len(ses.Walk().Steps), "step") + " done."))
		switch key, err := s.ask(ctx, []string{"Enter clean up", "b back", "q quit"}, l.keys, l.echo); {
		case err != nil || key == "q":
			return err
		case key == "b":
			l.back(ctx)
		default:
			return s.end(ctx, ses, nil)
		}
	}
}

// back undoes the step before, and what was done of the one at Position.
func (l *learner) back(ctx context.Context) {
	at := l.ses.Position()
	if at == 0 {
		l.s.fail(ctx, walk.ErrStart)
		return
	}
	err := l.ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: at - 1}, l.s.brief("back: "))
	l.report(ctx, err)
	l.follow(err)
}

// follow says how a learner's clone follows after the walk has moved the fleet, unless that has failed.
func (l *learner) follow(err error) {
	if err == nil && l.ses.HasFleet() {
		l.s.line(indent + "Update your clone: " + walk.CloneFollows)
	}
}

// learner is a walk that a learner does.
type learner struct {
	ses   *walk.Session
	s     *Screen
	in    io.Reader
	keys  <-chan string // the lines of in
	echo  bool
	again time.Duration // checkAgain; shorter in tests
}

// step shows a step and returns when it is done, or when the learner quits.
func (l *learner) step(ctx context.Context) (quit bool, err error) {
	at := l.ses.Position()
	if at == len(l.ses.Walk().Steps) {
		return false, nil
	}
	step := &l.ses.Walk().Steps[at]
	looks := len(step.With(walk.Change)) == 0
	l.s.Task(step, len(l.ses.Walk().Steps))
	if !looks {
		l.s.line("")
		l.s.line(l.s.dim.Render("[letter + Enter: h hint · c check · s solve · r reset · b back · q quit]"))
	}
	for l.ses.Position() == at {
		key := ""
		if looks {
			key, err = l.s.ask(ctx, []string{"Enter continue", "s show what it prints", "b back", "q quit"}, l.keys, l.echo)
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
	if l.ses.Position() > at {
		l.s.Why(step)
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
		if err := l.ses.Do(ctx, walk.Command{Action: walk.ActionHint}, nil); err != nil {
			l.s.fail(ctx, err)
			return
		}
		l.s.Hint(step, l.ses.Hints())
	case "b":
		l.back(ctx)
	case "c":
		l.s.unmet(ctx, l.ses.Do(ctx, walk.Command{Action: walk.ActionTry}, nil))
	case "s":
		l.s.line("")
		err := l.ses.Do(ctx, walk.Command{Action: walk.ActionNext}, l.s.show(true))
		l.report(ctx, err)
		if !looks {
			l.follow(err)
		}
	case "r":
		err := l.ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: l.ses.Position()}, l.s.brief("back: "))
		l.report(ctx, err)
		if !looks {
			l.follow(err)
		}
	default:
		l.s.line("Unknown key " + key + ".")
	}
}

func (l *learner) report(ctx context.Context, err error) {
	if err != nil {
		l.s.fail(ctx, err)
	}
}

// Task writes what a learner has to do in a step, or, for a step without a task, its text. If the step only looks, its
// commands are the task.
func (s *Screen) Task(step *walk.Step, total int) {
	looks := len(step.With(walk.Change)) == 0
	tasks := step.Task()
	if len(tasks) == 0 {
		s.present(step, total, looks)
		return
	}
	s.Heading(step, total)
	for i := range tasks {
		s.prose(&tasks[i])
	}
	for _, b := range step.With(walk.Look) {
		if looks {
			s.commands(&b)
		}
	}
}

// Why writes what a step has shown.
func (s *Screen) Why(step *walk.Step) {
	whys := step.Why()
	for i := range whys {
		s.prose(&whys[i])
	}
}

// Hint writes a hint of a step: the n-th, counted from 1, or the last one.
func (s *Screen) Hint(step *walk.Step, n int) {
	levels := step.Hints()
	n = min(n, len(levels))
	if n < 1 {
		s.line(indent + "This step has no hint: run its commands, and look.")
		return
	}
	s.line("")
	s.line(indent + s.dim.Render(fmt.Sprintf("Hint %d of %d", n, len(levels))))
	for i := range levels[n-1] {
		if b := &levels[n-1][i]; b.Role == walk.Hint {
			s.hint(b)
		} else {
			s.toPaste(b)
		}
	}
}

// toPaste writes commands as a shell takes them: a here-document that is indented does not end.
func (s *Screen) toPaste(b *walk.Block) {
	s.line("")
	for _, c := range b.Commands {
		s.line(s.command.Render(c.Text))
	}
	s.line("")
}

// hint writes a text, wrapped between words.
func (s *Screen) hint(b *walk.Block) {
	for _, text := range wrap(b.Text, screenWidth-len(indent)) {
		s.line(indent + text)
	}
}

// unmet writes which checks hold, and why the others do not.
func (s *Screen) unmet(ctx context.Context, err error) {
	unmet, is := errors.AsType[*walk.UnmetError](err)
	if !is {
		if err != nil {
			s.fail(ctx, err)
		}
		return
	}
	s.Results(unmet.Results)
}

// Done writes that a step is done.
func (s *Screen) Done(step *walk.Step) {
	s.line(indent + s.good.Render("✓") + " done: " + step.Title)
}

// Results writes a line for each check, and below it what is missing.
func (s *Screen) Results(results []walk.Result) {
	for _, r := range results {
		if r.Holds {
			mark := s.good.Render("✓")
			if r.Check.Always {
				mark = s.dim.Render("•") // the learner has nothing to do for it
			}
			s.line(indent + mark + " " + r.Check.Name())
			continue
		}
		mark, what := s.bad.Render("✗"), "not yet: "
		if r.Unknown {
			mark, what = s.dim.Render("?"), "not known: "
		}
		for i, text := range wrap(what+r.Check.Name(), screenWidth-len(indent)-2) {
			if i > 0 {
				mark = " "
			}
			s.line(indent + mark + " " + text)
		}
		for _, text := range wrap(r.Why, screenWidth-len(indent)-2) {
			s.line(indent + "  " + text)
		}
	}
}

// wait returns when the step is done or there is a line to read. The end of the input is the same as q.
func (l *learner) wait(ctx context.Context) (key string, err error) {
	checking, cancel := context.WithCancel(ctx)
	defer cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		err = l.s.untilDone(checking, l.ses, l.again)
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

// UntilDone begins the checks of the session's step again and again until the learner has done it or ctx ends, and shows what
// is missing. At ctx's end it returns ctx's error.
func (s *Screen) UntilDone(ctx context.Context, ses *walk.Session) error {
	return s.untilDone(ctx, ses, checkAgain)
}

func (s *Screen) untilDone(ctx context.Context, ses *walk.Session, again time.Duration) error {
	start := time.Now()
	title := ses.Walk().Steps[ses.Position()].Title
	for {
		begun := time.Now()
		err := ses.Do(ctx, walk.Command{Action: walk.ActionComplete, Patience: walk.Patience}, func(ev walk.Event) {
			if ev.Kind == walk.Waiting {
				s.wait(ev.Block, ev.Text, time.Since(start))
			}
		})
		var failed *walk.StepError
		switch {
		case err == nil:
			s.result(true, "done: "+title, time.Since(start))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &failed):
			return err
		}
		s.wait(failed.Block, failed.Meaning(), time.Since(start))
		// Checks wait by themselves. One that fails at once has nothing to wait for yet.
		pause := time.NewTimer(again - time.Since(begun))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}
