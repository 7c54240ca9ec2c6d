package walk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// Errors of a session that was asked to go further than the walk does.
var (
	ErrStart = errors.New("this is the first step: there is nothing to take back")
	ErrEnd   = errors.New("the walk has no more steps")
)

// commitVariable names the fleet's commit before the step, for the step's commands, checks and undo.
const commitVariable = "WALK_COMMIT"

// diagnoseTime is how long it may take to find out what is wrong in the cluster after a step failed.
const diagnoseTime = 10 * time.Second

// SessionOptions says where a session runs and what it keeps.
type SessionOptions struct {
	// Runner says in what surroundings the walk's commands run.
	Runner Options
	// File is where progress is kept (mode 0600), in a folder that is there; "" keeps none.
	File string
	// Fresh forgets the progress of an earlier session.
	Fresh bool
	// Git is the fleet's branch; nil for walks without one.
	Git Git
	// Needs are runners of the walks whose end state this one builds on, in the order in which to bring it about.
	Needs []*Runner
	// Guest says that the cluster is not the demo's alone: a walk that needs one of its own, or needs such a walk, is not
	// opened then, and the error is a *GuestError.
	Guest bool
	// Rejoin brings the fleet back to where the walk was when progress is taken up and somebody has moved it since,
	// another walk for example. Not for learners: they may push while no session is open.
	Rejoin bool
	// Diagnose says in a few lines which objects are at fault after a step failed, "" when it finds none; nil for
	// walks without a cluster. ctx carries a deadline.
	Diagnose func(ctx context.Context) string
}

// Session is a walk on the way: it knows which steps are done, keeps that on disk, and brings the state along
// whichever way the speaker goes. It is used by one goroutine at a time; Position and Begun may be called at any
// time. Several processes may work on one file: each sees what the others have done.
//
// A step that was begun and did not succeed is not done. Whatever comes next takes back first what it has left.
type Session struct {
	runner   *Runner
	o        SessionOptions
	store    store
	p        progress
	ready    bool // Begin was called
	rejoined bool // Begin has brought the fleet back
	position atomic.Int64
	begun    atomic.Bool
}

// Open makes a session, and takes up the progress that an earlier one has kept, also when that one was killed.
// Another text of the walk starts anew.
func Open(ctx context.Context, w *Walk, o SessionOptions) (*Session, error) {
	if o.Guest {
		walks := []*Walk{w}
		for _, r := range o.Needs {
			walks = append(walks, r.Walk())
		}
		if err := CheckGuest(walks...); err != nil {
			return nil, err
		}
	}
	r, err := NewRunner(w, o.Runner)
	if err != nil {
		return nil, err
	}
	s := &Session{runner: r, o: o, store: store{file: o.File}, p: progress{Walk: w.Hash}}
	s.p.Shell = r.snapshot()
	err = s.locked(ctx, func() error {
		if o.Fresh {
			return s.store.remove()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Walk returns the walk.
func (s *Session) Walk() *Walk { return s.runner.Walk() }

// Position is the index of the next step, len(Steps) at the end.
func (s *Session) Position() int { return int(s.position.Load()) }

// Begun reports whether the step at Position was begun and did not succeed.
func (s *Session) Begun() bool { return s.begun.Load() }

// Started reports whether the setup is done, by this session or by one whose progress was taken up.
func (s *Session) Started() bool { return s.p.Set }

// Resumed reports whether Begin has nothing to do.
func (s *Session) Resumed() bool {
	return s.p.Set && (s.ready || len(s.p.Done) > 0 || s.p.Begun != nil)
}

// Begin brings about the state that the walk starts from: silently that of the walks that it needs, then its own
// setup. It does nothing when progress was taken up, unless that stands before the first step: other walks may have
// run since, and a fresh start costs nothing there.
func (s *Session) Begin(ctx context.Context, ev Events) error {
	return s.locked(ctx, func() error {
		if s.Resumed() {
			s.ready = true
			return s.rejoin(ctx)
		}
		for _, r := range s.o.Needs {
			if err := whole(ctx, r); err != nil {
				return s.explain(ctx, fmt.Errorf("bring about the end of the walk %s, which this one needs: %w", r.Walk().Name, err))
			}
		}
		if err := s.runner.Setup(ctx, ev); err != nil {
			return s.explain(ctx, err)
		}
		s.p.Set, s.ready, s.p.Shell = true, true, s.runner.snapshot()
		return s.save()
	})
}

// Rejoined reports whether Begin found the fleet elsewhere and has brought it back.
func (s *Session) Rejoined() bool { return s.rejoined }

// rejoin brings the fleet back to where the last step has left it. A step that was begun needs no help: it is taken back
// before anything else happens.
func (s *Session) rejoin(ctx context.Context) error {
	if !s.o.Rejoin || s.o.Git == nil || s.p.Begun != nil || s.p.Commit == "" {
		return nil
	}
	head, err := s.o.Git.Head(ctx)
	if err == nil && head != s.p.Commit {
		s.rejoined = true
		var states map[string]string
		if states, err = s.o.Git.States(ctx); err == nil {
			err = s.o.Git.Restore(ctx, s.p.Commit, states)
		}
	}
	if err != nil {
		return fmt.Errorf("bring the fleet back to where this walk was: %w", err)
	}
	return nil
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

// Next runs the step at Position and advances if it succeeds. It fails with a *StepError when a command does, and
// with ErrEnd when there is no step. Events of what is taken back first are not sent.
func (s *Session) Next(ctx context.Context, ev Events) error {
	return s.locked(ctx, func() error { return s.next(ctx, ev) })
}

// Skip runs the step at Position silently.
func (s *Session) Skip(ctx context.Context) error { return s.Next(ctx, nil) }

// Back takes back the step before Position, or the one at Position when it was begun. Afterwards the state is that
// before the step: its undo blocks run, then the fleet's branch is moved to the commit that it had. It fails with a
// *StepError when a command does, and with ErrStart when there is no step before.
func (s *Session) Back(ctx context.Context, ev Events) error {
	return s.locked(ctx, func() error { return s.back(ctx, ev) })
}

// Again takes the last step back silently and runs it, or the one at Position when that was begun.
func (s *Session) Again(ctx context.Context, ev Events) error {
	return s.locked(ctx, func() error {
		if s.p.Begun == nil {
			if err := s.back(ctx, nil); err != nil {
				return err
			}
		}
		return s.next(ctx, ev)
	})
}

// GoTo makes step n (counted from 0, len(Steps) for the end) the next one: it runs or takes back what lies between.
func (s *Session) GoTo(ctx context.Context, n int, ev Events) error {
	if n < 0 || n > len(s.Walk().Steps) {
		return fmt.Errorf("there is no step %d: the walk has %d", n+1, len(s.Walk().Steps))
	}
	return s.locked(ctx, func() error {
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
	})
}

// Check only waits for the state that the step at Position leads to. The checks' variables and folders leave no
// trace. It fails with a *StepError when the state is not there within the checks' deadlines.
func (s *Session) Check(ctx context.Context, ev Events) error {
	if err := s.note(ctx); err != nil {
		return err
	}
	return s.explain(ctx, s.check(ctx, ev))
}

// note writes down where the step at Position starts. Somebody else does the step, maybe just now in another
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

// Pass marks the step at Position as done without running it. It does nothing at the end of the walk.
func (s *Session) Pass(ctx context.Context) error {
	return s.locked(ctx, func() error {
		if s.Position() == len(s.Walk().Steps) {
			return nil
		}
		return s.pass(s.p.Begun, "")
	})
}

// Complete waits as Check does, and passes the step. When another process has passed it meanwhile, there is nothing
// to wait for. It does not look for what is wrong in the cluster: a learner is still at work.
func (s *Session) Complete(ctx context.Context, ev Events) error {
	at := s.Position()
	err := s.note(ctx)
	if s.Position() != at {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.check(ctx, ev); err != nil {
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

// follow goes where step i goes, so that the commands of later steps find what the learner has made.
func (s *Session) follow(ctx context.Context, i int) {
	for _, b := range s.Walk().Steps[i].with(Change, Look) {
		for _, c := range b.Commands {
			if c.moves() {
				// Where there is nothing to go to, the learner works elsewhere.
				_ = s.runner.shell.Run(ctx, c.stmt)
			}
		}
	}
}

// End runs the cleanup, and those of the walks that were needed, also when ctx has ended already; then it removes
// the progress. All is tried, and the errors are joined.
func (s *Session) End(ctx context.Context, ev Events) error {
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
		s.p, s.ready = progress{Walk: s.Walk().Hash, Shell: s.p.Shell}, false
		s.moved()
		return errors.Join(err, s.store.remove())
	})
}

// locked calls f while no other process works on the walk, with the progress as the last one has left it.
func (s *Session) locked(ctx context.Context, f func() error) error {
	unlock, err := s.store.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if s.o.Fresh && s.store.last == nil {
		return f()
	}
	p, err := s.store.load()
	if err != nil {
		return err
	}
	if p != nil && p.fits(s.Walk()) {
		if err := s.runner.restore(p.Shell); err != nil {
			return err
		}
		s.p = *p
		s.moved()
	}
	return f()
}

func (s *Session) moved() {
	s.position.Store(int64(len(s.p.Done)))
	s.begun.Store(s.p.Begun != nil)
}

func (s *Session) save() error {
	s.moved()
	return s.store.save(&s.p)
}

// begin notes where the step at Position starts from. A step that was begun before keeps its first note.
func (s *Session) begin(ctx context.Context) error {
	if s.p.Begun == nil {
		b := before{Step: s.Walk().Steps[s.Position()].ID, Shell: s.runner.snapshot()}
		if s.o.Git != nil {
			var err error
			if b.Commit, err = s.o.Git.Head(ctx); err != nil {
				return fmt.Errorf("note the fleet's commit before the step: %w", err)
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
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.warn(ev)
	if err := s.runner.RunStep(ctx, i, s.keep(ev)); err != nil {
		return s.explain(ctx, err)
	}
	return s.passAt(ctx)
}

// passAt notes that the step at Position is done, and where it has left the fleet.
func (s *Session) passAt(ctx context.Context) error {
	commit := ""
	if s.o.Git != nil {
		var err error
		if commit, err = s.o.Git.Head(ctx); err != nil {
			return fmt.Errorf("note the fleet's commit after the step: %w", err)
		}
	}
	return s.pass(s.p.Begun, commit)
}

// keep notes the shell after each command that changes something: a step that is killed in the middle is undone by
// another process, and the undo needs the variables that the step has set so far.
func (s *Session) keep(ev Events) Events {
	return func(e Event) {
		if e.Kind == CommandEnd && e.Block.Role == Change {
			s.p.Shell = s.runner.snapshot()
			_ = s.save() // tried again when the step ends
		}
		if ev != nil {
			ev(e)
		}
	}
}

// pass notes that the step at Position is done, and that the fleet is at commit then.
func (s *Session) pass(b *before, commit string) error {
	if b == nil {
		b = &before{Step: s.Walk().Steps[s.Position()].ID, Shell: s.runner.snapshot()}
	}
	s.p.Done, s.p.Begun, s.p.Shell, s.p.Commit = append(s.p.Done, *b), nil, s.runner.snapshot(), commit
	return s.save()
}

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
	if err := s.runner.Undo(ctx, s.Position(), ev); err != nil {
		return s.explain(ctx, err)
	}
	if s.o.Git != nil && b.Commit != "" {
		head, err := s.o.Git.Head(ctx)
		if err == nil && head != b.Commit {
			err = s.o.Git.Restore(ctx, b.Commit, b.States)
		}
		if err != nil {
			return fmt.Errorf("bring the fleet back to the commit before the step: %w", err)
		}
	}
	if err := s.runner.restore(b.Shell); err != nil {
		return err
	}
	s.p.Begun, s.p.Shell, s.p.Commit = nil, b.Shell, b.Commit
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
