package walk

import (
	"context"
	"fmt"
	"time"
)

// lostHistory says what a learner has done who pushed by force, and what to do. No check of a walk can see it: the files at
// the head may be right.
const lostHistory = "A push with --force has dropped commits from before this step. Reset the step, then update your clone: " + CloneFollows

// historyAgain is how often the branch is looked at while it lacks earlier commits. The Git host cannot be watched.
const historyAgain = time.Second

// base returns the commit that the fleet's branch had before the step at Position, "" if that is not known.
func (s *Session) base() string {
	if s.p.Begun != nil {
		return s.p.Begun.Commit
	}
	return s.p.Commit
}

// keepsHistory reports whether the fleet's branch still has the commit from before the step at Position.
func (s *Session) keepsHistory(ctx context.Context) (bool, error) {
	commit := s.base()
	if s.o.Git == nil || commit == "" {
		return true, nil
	}
	kept, err := s.o.Git.Contains(ctx, commit)
	if err != nil {
		return false, fmt.Errorf("looking for the commit from before the step in the fleet: %w", err)
	}
	return kept, nil
}

// checkKept checks the step at Position, again and again as long as the branch lacks earlier commits.
func (s *Session) checkKept(ctx context.Context, ev Events) error {
	for {
		if err := s.check(ctx, ev); err != nil {
			return err
		}
		kept, err := s.keepsHistory(ctx)
		if kept || err != nil {
			return err
		}
		step := &s.Walk().Steps[s.Position()]
		if checks := step.Checks(); ev != nil && len(checks) > 0 {
			ev(Event{Kind: Waiting, Step: step, Block: &checks[len(checks)-1], Text: lostHistory})
		}
		pause := time.NewTimer(historyAgain)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// strayed returns the commit to which the fleet has to go back for this walk to go on, "" if it need not. A presenter's
// fleet is where the last step has left it. A learner may have pushed since then: it only has to descend from there. The
// commit with which another walk begins looks the same, and stays.
func (s *Session) strayed(ctx context.Context) (commit string, err error) {
	if s.o.Git == nil || s.base() == "" {
		return "", nil
	}
	switch {
	case s.o.Learner:
		kept, err := s.keepsHistory(ctx)
		if kept || err != nil {
			return "", err
		}
		return s.base(), nil
	case s.o.Rejoin && s.p.Begun == nil:
		// A step that was begun needs no help: the next command undoes it first.
		head, err := s.o.Git.Head(ctx)
		if err != nil || head == s.p.Commit {
			return "", err
		}
		return s.p.Commit, nil
	}
	return "", nil
}

// rejoin restores the fleet if it has moved since the session that the progress is from; see strayed.
func (s *Session) rejoin(ctx context.Context) error {
	commit, err := s.strayed(ctx)
	if err == nil && commit != "" {
		s.rejoined.Store(true)
		var states map[string]string
		if states, err = s.o.Git.States(ctx); err == nil {
			err = s.o.Git.Move(ctx, commit)
		}
		if err == nil {
			err = s.o.Git.Await(ctx, commit, states)
		}
	}
	if err != nil {
		return fmt.Errorf("restoring the fleet to the commit of this walk: %w", err)
	}
	return nil
}
