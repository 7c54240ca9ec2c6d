package walk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// start prepares the state that the walk starts from: silently that of the walks that it needs, then its own setup. It
// does nothing when progress was taken up, unless that stands before the first step: other walks may have run since,
// and a fresh start costs nothing there.
func (s *Session) start(ctx context.Context, ev Events) error {
	if s.Resumed() {
		if s.ready.Load() {
			return nil
		}
		if err := s.rejoin(ctx); err != nil {
			return err
		}
		s.ready.Store(true)
		return nil
	}
	for _, r := range s.o.Needs {
		if err := whole(ctx, r); err != nil {
			return s.explain(ctx, fmt.Errorf("running the walk %s, which this one needs: %w", r.Walk().Name, err))
		}
	}
	if err := s.runner.Setup(ctx, ev); err != nil {
		return s.explain(ctx, err)
	}
	s.ready.Store(true)
	s.p.Set, s.p.Shell = true, s.runner.snapshot()
	return s.save()
}

// whole does a walk silently, but for its cleanup.
func whole(ctx context.Context, r *Runner) error {
	if err := r.Setup(ctx, nil); err != nil {
		return err
	}
	for i := range r.Walk().Steps {
		if err := r.RunStep(ctx, i, nil); err != nil {
			return err
		}
	}
	return nil
}

// next runs the step at Position and advances if it succeeds. It fails with a *StepError when a command does, and with
// ErrEnd when there is no step. It sends no events of an undo that comes first.
func (s *Session) next(ctx context.Context, ev Events) error {
	i := s.Position()
	if i == len(s.Walk().Steps) {
		return ErrEnd
	}
	if s.p.Begun != nil {
		if err := s.undo(ctx, nil); err != nil {
			return err
		}
	}
	if err := s.stand(ctx, i); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.warn(ev)
	run := s.runner.RunStep
	if s.o.Learner {
		run = s.runner.Solve
	}
	if err := run(ctx, i, s.keep(ev)); err != nil {
		return s.explain(ctx, err)
	}
	return s.passAt(ctx)
}

// again takes the last step back silently and runs it, or the one at Position when that was begun.
func (s *Session) again(ctx context.Context, ev Events) error {
	if s.p.Begun == nil {
		if err := s.back(ctx, nil); err != nil {
			return err
		}
	}
	return s.next(ctx, ev)
}

// goTo makes step n (counted from 0, len(Steps) for the end) the next one: it runs or takes back what lies between.
func (s *Session) goTo(ctx context.Context, n int, ev Events) error {
	if n < 0 || n > len(s.Walk().Steps) {
		return fmt.Errorf("there is no step %d: the walk has %d steps", n+1, len(s.Walk().Steps))
	}
	for s.Position() < n {
		if err := s.next(ctx, ev); err != nil {
			return err
		}
	}
	for s.Position() > n || s.p.Begun != nil {
		if err := s.back(ctx, ev); err != nil {
			return err
		}
	}
	return nil
}

// back takes back the step before Position, or the one at Position when it was begun. Afterwards the state is that
// before the step: the fleet's branch is moved to the commit that it had, then the step's undo blocks run, then Flux has
// applied that commit. It fails with a *StepError when a command does, and with ErrStart when there is no step before.
func (s *Session) back(ctx context.Context, ev Events) error {
	if s.p.Begun == nil {
		n := len(s.p.Done)
		if n == 0 {
			return ErrStart
		}
		// From here on the step is not done, even if this process is killed now.
		last := s.p.Done[n-1]
		s.p.Done, s.p.Begun = s.p.Done[:n-1], &last
		if err := s.save(); err != nil {
			return err
		}
	}
	return s.undo(ctx, ev)
}

// undo takes back the step at Position, which was begun.
func (s *Session) undo(ctx context.Context, ev Events) error {
	b := s.p.Begun
	if err := s.runner.export(commitVariable, b.Commit); err != nil {
		return err
	}
	// The fleet comes first: what is undone in the cluster must not meet what a user has pushed.
	moved, err := s.moveTo(ctx, b.Commit)
	if err != nil {
		return err
	}
	if err := s.stand(ctx, s.Position()); err != nil {
		return err
	}
	if err := s.runner.Undo(ctx, s.Position(), ev); err != nil {
		return s.explain(ctx, err)
	}
	again, err := s.moveTo(ctx, b.Commit) // an undo may have pushed, too
	if err != nil {
		return err
	}
	// A learner may have moved the fleet there just now, and Flux may still be at work.
	if moved || again || s.o.Learner && s.o.Git != nil && b.Commit != "" {
		if ev != nil && s.o.Learner {
			ev(Event{Kind: Note, Text: "waiting until Flux has applied the commit before the step"})
		}
		if err := s.o.Git.Await(ctx, b.Commit, b.States); err != nil {
			return fmt.Errorf("restoring the fleet to the commit before the step: %w", err)
		}
		// To have the commit applied, Flux was asked to reconcile. So it has also put back what the undo has changed by hand.
		if err := s.runner.Undo(ctx, s.Position(), nil); err != nil {
			return s.explain(ctx, err)
		}
	}
	if err := s.runner.restore(b.Shell); err != nil {
		return err
	}
	s.p.Begun, s.p.Shell, s.p.Commit = nil, b.Shell, b.Commit
	return s.save()
}

// skip marks the step at Position as done without running it. It does nothing at the end of the walk.
func (s *Session) skip() error {
	if s.Position() == len(s.Walk().Steps) {
		return nil
	}
	return s.pass(s.p.Begun, "")
}

// begin notes where the step at Position starts from. A step that was begun before keeps its first note.
func (s *Session) begin(ctx context.Context) error {
	if s.p.Begun == nil {
		b := before{Step: s.Walk().Steps[s.Position()].ID, Shell: s.runner.snapshot()}
		if s.o.Git != nil {
			var err error
			if b.Commit, err = s.o.Git.Head(ctx); err != nil {
				return fmt.Errorf("saving the fleet's commit before the step: %w", err)
			}
			if b.States, err = s.o.Git.States(ctx); err != nil {
				b.States = nil // a cluster that does not answer just now: then Back waits for all
			}
		}
		s.p.Begun = &b
	}
	if err := s.runner.export(commitVariable, s.p.Begun.Commit); err != nil {
		return err
	}
	return s.save()
}

// keep notes the shell after each command that changes something: a step that is killed in the middle is undone by
// another process, and the undo needs the variables that the step has set so far.
func (s *Session) keep(ev Events) Events {
	return func(e Event) {
		if e.Kind == CommandEnd && (e.Block.Role == Change || e.Block.Role == Solve) {
			s.p.Shell = s.runner.snapshot()
			_ = s.save() // tried again when the step ends
		}
		if ev != nil {
			ev(e)
		}
	}
}

// passAt notes that the step at Position is done, and where it has left the fleet.
func (s *Session) passAt(ctx context.Context) error {
	commit := ""
	if s.o.Git != nil {
		var err error
		if commit, err = s.o.Git.Head(ctx); err != nil {
			return fmt.Errorf("saving the fleet's commit after the step: %w", err)
		}
	}
	return s.pass(s.p.Begun, commit)
}

// pass notes that the step at Position is done, and that the fleet is at commit then.
func (s *Session) pass(b *before, commit string) error {
	if b == nil {
		b = &before{Step: s.Walk().Steps[s.Position()].ID, Shell: s.runner.snapshot()}
	}
	s.p.Done, s.p.Begun, s.p.Shell, s.p.Commit, s.p.Hints = append(s.p.Done, *b), nil, s.runner.snapshot(), commit, 0
	return s.save()
}

// explain adds to a *StepError what is wrong in the cluster.
func (s *Session) explain(ctx context.Context, err error) error {
	var failed *StepError
	if s.o.Diagnose == nil || ctx.Err() != nil || !errors.As(err, &failed) || failed.missing() {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
	defer cancel()
	failed.Objects = s.o.Diagnose(ctx)
	return err
}

// cleanupTime is how long the cleanup may take after the walk was interrupted.
const cleanupTime = 30 * time.Second

// end runs the cleanup, and those of the walks that were needed, also when ctx has ended already; then it removes
// the progress. All is tried, and the errors are joined.
func (s *Session) end(ctx context.Context, ev Events) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
	}
	return s.locked(ctx, func() error {
		err := s.explain(ctx, s.runner.Cleanup(ctx, ev))
		for _, r := range slices.Backward(s.o.Needs) {
			err = errors.Join(err, r.Cleanup(ctx, nil))
		}
		s.p = progress{Walk: s.Walk().Hash, Shell: s.p.Shell}
		s.ready.Store(false)
		s.publish()
		return errors.Join(err, s.store.remove())
	})
}
