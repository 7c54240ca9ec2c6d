package walk

import (
	"context"
	"errors"
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
// whichever way the speaker goes. Do is called by one goroutine at a time; the other methods may be called at any time.
// Several processes may work on one file: each sees what the others have done.
//
// A step that was begun and did not succeed is not done. Whatever comes next takes back first what it has left.
type Session struct {
	runner *Runner
	o      SessionOptions
	store  store
	p      progress

	// What others read while a command runs.
	ready    atomic.Bool // ActionBegin was carried out
	rejoined atomic.Bool // it has brought the fleet back
	started  atomic.Bool
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
func (s *Session) Started() bool { return s.started.Load() }

// Resumed reports whether ActionBegin has nothing to do.
func (s *Session) Resumed() bool {
	return s.Started() && (s.ready.Load() || s.Position() > 0 || s.Begun())
}

// Prepares reports whether ActionBegin has something to do that takes time: a setup, or walks that this one needs.
func (s *Session) Prepares() bool {
	return !s.Resumed() && (s.Walk().Setup != nil || len(s.o.Needs) > 0)
}

// HasFleet reports whether the walk changes the fleet's branch, which going back moves.
func (s *Session) HasFleet() bool { return s.o.Git != nil }

// Rejoined reports whether ActionBegin found the fleet elsewhere and has brought it back.
func (s *Session) Rejoined() bool { return s.rejoined.Load() }

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
	s.started.Store(s.p.Set)
	s.position.Store(int64(len(s.p.Done)))
	s.begun.Store(s.p.Begun != nil)
}

func (s *Session) save() error {
	s.moved()
	return s.store.save(&s.p)
}

// CanRetry reports whether a second try makes sense after a step has failed with err: not when a program is missing,
// when a deadline was long enough, or when nobody can tell whether the cluster is ready.
func (s *Session) CanRetry(err error) bool {
	var failed *StepError
	return s.o.Runner.Ready != nil && errors.As(err, &failed) && failed.Timeout == 0 && !failed.missing()
}

// AwaitCluster waits until the cluster is ready. ctx carries a deadline.
func (s *Session) AwaitCluster(ctx context.Context) error { return s.o.Runner.Ready(ctx) }
