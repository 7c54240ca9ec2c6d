package plain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// readyTime is how long the cluster may take to heal after a step failed.
const readyTime = 30 * time.Second

// AutoOptions are the options of Auto. The zero value runs the whole walk.
type AutoOptions struct {
	From   int         // the first step to show, counted from 0; earlier steps run first, without output
	Events walk.Events // receives what happens in the setup, the steps and the cleanup, beside the screen
}

// Auto runs a walk without prompting, and writes each step with its times. It stops at the first step that fails
// and returns its *StepError. The cleanup is done in any case, also when ctx ends.
func Auto(ctx context.Context, ses *walk.Session, s *Screen, o AutoOptions) error {
	w, start := ses.Walk(), time.Now()
	s.intro(w)
	err := Start(ctx, ses, s, o)
	for err == nil && ses.Position() < len(w.Steps) {
		s.Heading(&w.Steps[ses.Position()], len(w.Steps))
		ev := walk.Both(o.Events, s.show(true))
		if err = ses.Do(ctx, walk.Command{Action: walk.ActionNext}, ev); err != nil {
			err = s.onceMore(ctx, ses, ev, err)
		}
	}
	err = errors.Join(err, s.end(ctx, ses, o.Events))
	if err != nil {
		return err
	}
	s.line("")
	s.line(s.good.Render(fmt.Sprintf("%s in %s", count(len(w.Steps), "step"), walk.Seconds(time.Since(start)))))
	return nil
}

// Start begins a session and runs the steps before the first one to show, with a line for each.
func Start(ctx context.Context, ses *walk.Session, s *Screen, o AutoOptions) error {
	if err := s.begin(ctx, ses, o.Events); err != nil {
		return err
	}
	what := "prepared: "
	if o.From < ses.Position() {
		what = "back: "
	}
	return ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: o.From}, walk.Both(o.Events, s.brief(what)))
}

// onceMore does a step that failed again, when the cluster can say that it is ready. It returns the first failure
// when that is not so, or when there would be no sense in it: a missed deadline was long enough.
func (s *Screen) onceMore(ctx context.Context, ses *walk.Session, ev walk.Events, first error) error {
	if ctx.Err() != nil || !ses.CanRetry(first) {
		return first
	}
	s.line(indent + "Trying again as soon as the cluster is ready:")
	waiting, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if err := ses.AwaitCluster(waiting); err != nil {
		return errors.Join(first, fmt.Errorf("waiting for the cluster to try again: %w", err))
	}
	return ses.Do(ctx, walk.Command{Action: walk.ActionNext}, ev)
}

// intro writes the title and what to expect.
func (s *Screen) intro(w *walk.Walk) {
	s.line(s.title.Render(w.Title))
	about := count(len(w.Steps), "step")
	if w.Duration > 0 {
		about += fmt.Sprintf(", about %d min", int(max(w.Duration.Round(time.Minute)/time.Minute, 1)))
	}
	s.line(s.dim.Render(about))
}

// begin starts a session, of which only the end is worth a line.
func (s *Screen) begin(ctx context.Context, ses *walk.Session, ev walk.Events) error {
	w := ses.Walk()
	begin := walk.Command{Action: walk.ActionBegin}
	if !ses.Prepares() {
		return ses.Do(ctx, begin, ev)
	}
	s.line("")
	start := time.Now()
	err := ses.Do(ctx, begin, walk.Both(ev, s.waiting()))
	title := "Setup"
	if w.Setup != nil {
		title = w.Setup.Title
	}
	s.result(err == nil, title, time.Since(start))
	return err
}

// end ends a session, of which only the end is worth a line.
func (s *Screen) end(ctx context.Context, ses *walk.Session, ev walk.Events) error {
	end := walk.Command{Action: walk.ActionEnd}
	section := ses.Walk().Cleanup
	if section == nil {
		return ses.Do(ctx, end, ev)
	}
	s.line("")
	start := time.Now()
	err := ses.Do(ctx, end, walk.Both(ev, s.waiting()))
	s.result(err == nil, section.Title, time.Since(start))
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
