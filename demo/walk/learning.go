package walk

import (
	"context"
	"slices"
	"time"
)

// await only waits for the state that the step at Position leads to. The checks' variables and folders leave no trace.
// It fails with a *StepError when the state is not there within the checks' deadlines.
func (s *Session) await(ctx context.Context, ev Events) error {
	if err := s.note(ctx); err != nil {
		return err
	}
	return s.explain(ctx, s.check(ctx, ev))
}

// note writes down where the step at Position starts. The learner does the step, maybe just now in another
// process, so the lock is held for no longer than that.
func (s *Session) note(ctx context.Context) error {
	return s.locked(ctx, func() error {
		if s.Position() == len(s.Walk().Steps) {
			return ErrEnd
		}
		return s.begin(ctx)
	})
}

func (s *Session) check(ctx context.Context, ev Events) error {
	return s.runner.aside(func() error { return s.runner.Check(ctx, s.Position(), ev) })
}

// complete waits as await does, and passes the step. When another process has passed it meanwhile, there is nothing
// to wait for. It does not look for what is wrong in the cluster: a learner is still at work.
func (s *Session) complete(ctx context.Context, patience time.Duration, ev Events) error {
	at := s.Position()
	err := s.note(ctx)
	if s.Position() != at {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.checkKept(hurried(ctx, patience), ev); err != nil {
		return err
	}
	return s.locked(ctx, func() error {
		if s.Position() != at {
			return nil
		}
		s.follow(ctx, at)
		return s.passAt(ctx)
	})
}

// hint notes that the learner has seen one more hint of the step at Position, if there is one.
func (s *Session) hint() error {
	if at := s.Position(); at == len(s.Walk().Steps) {
		return ErrEnd
	} else if s.p.Hints < len(s.Walk().Steps[at].Hints()) {
		s.p.Hints++
	}
	return s.save()
}

// try looks at the checks once, and passes the step if all hold; else it fails with an *UnmetError.
func (s *Session) try(ctx context.Context) error {
	at := s.Position()
	err := s.note(ctx)
	if s.Position() != at {
		return nil
	}
	if err != nil {
		return err
	}
	results := s.runner.try(ctx, at, s.o.Explain)
	if kept, err := s.keepsHistory(ctx); err == nil && !kept && len(results) > 0 {
		last := &results[len(results)-1]
		last.Holds, last.Why = false, lostHistory
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if slices.ContainsFunc(results, func(r Result) bool { return !r.Holds }) {
		return &UnmetError{Step: &s.Walk().Steps[at], Results: results}
	}
	return s.locked(ctx, func() error {
		if s.Position() != at {
			return nil
		}
		s.follow(ctx, at)
		return s.passAt(ctx)
	})
}

// follow goes where step i goes, so that the commands of later steps find what the learner has made.
func (s *Session) follow(ctx context.Context, i int) {
	if s.Walk().Clone != "" {
		return // the next step begins where it has to
	}
	for _, b := range s.Walk().Steps[i].With(Change, Look) {
		for _, c := range b.Commands {
			if c.changesDir() {
				// Where there is nothing to go to, the learner works elsewhere.
				_ = s.runner.shell.Run(ctx, c.stmt)
			}
		}
	}
}
