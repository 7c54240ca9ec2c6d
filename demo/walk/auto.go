package walk

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cleanupTime is how long the cleanup may take after the walk was interrupted.
const cleanupTime = 30 * time.Second

// readyTime is how long the cluster may take to heal after a step failed.
const readyTime = 30 * time.Second

// Auto does a whole walk without asking, and writes each step with its times. It stops at the first step that fails
// and returns its *StepError. The cleanup is done in any case, also when ctx ends.
func Auto(ctx context.Context, r *Runner, s *Screen) error {
	w, start := r.Walk(), time.Now()
	s.intro(w)
	err := s.quietly(w.Setup, func(ev Events) error { return r.Setup(ctx, ev) })
	for i := 0; err == nil && i < len(w.Steps); i++ {
		s.heading(&w.Steps[i], len(w.Steps))
		if err = r.RunStep(ctx, i, s.show(true)); err != nil {
			err = s.onceMore(ctx, r, i, err)
		}
	}
	err = errors.Join(err, s.cleanup(ctx, r))
	if err != nil {
		return err
	}
	s.line("")
	s.line(s.good.Render(fmt.Sprintf("%s in %s", count(len(w.Steps), "step"), seconds(time.Since(start)))))
	return nil
}

// onceMore takes back a step that failed and does it again, when the cluster can say that it is ready. It returns
// the first failure when that is not so, or when there would be no sense in it: a missed deadline was long enough.
func (s *Screen) onceMore(ctx context.Context, r *Runner, i int, first error) error {
	var failed *StepError
	if r.ready == nil || ctx.Err() != nil || !errors.As(first, &failed) || failed.Timeout > 0 || failed.missing() {
		return first
	}
	s.line(indent + "once more, as soon as the cluster is ready:")
	waiting, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if err := r.ready(waiting); err != nil {
		return errors.Join(first, fmt.Errorf("wait for the cluster after that: %w", err))
	}
	if err := r.Undo(ctx, i, nil); err != nil {
		return errors.Join(first, fmt.Errorf("take the step back after that: %w", err))
	}
	return r.RunStep(ctx, i, s.show(true))
}

// intro writes the title and what to expect.
func (s *Screen) intro(w *Walk) {
	s.line(s.title.Render(w.Title))
	about := count(len(w.Steps), "step")
	if w.Duration > 0 {
		about += fmt.Sprintf(", about %d min", int(max(w.Duration.Round(time.Minute)/time.Minute, 1)))
	}
	s.line(s.dim.Render(about))
}

// quietly runs something of which only the end is worth a line. It does nothing when there is no section.
func (s *Screen) quietly(section *Step, run func(Events) error) error {
	if section == nil {
		return nil
	}
	s.line("")
	start := time.Now()
	err := run(func(ev Event) {
		if ev.Kind == Waiting {
			s.wait(ev.Block, ev.Text, ev.Elapsed)
		}
	})
	s.result(err == nil, section.Title, time.Since(start))
	return err
}

// cleanup runs the walk's cleanup, with a deadline of its own when ctx has ended already.
func (s *Screen) cleanup(ctx context.Context, r *Runner) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
	}
	return s.quietly(r.Walk().Cleanup, func(ev Events) error { return r.Cleanup(ctx, ev) })
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
