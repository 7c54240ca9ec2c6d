package walk

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// Errors when there is no step to undo or to run.
var (
	ErrStart = errors.New("this is the first step: there is nothing to undo")
	ErrEnd   = errors.New("the walk has no more steps")
)

// commitVariable names the fleet's commit before the step, for the step's commands, checks and undo.
const commitVariable = "WALK_COMMIT"

// diagnoseTime is how long it may take to find out what is wrong in the cluster after a step failed.
const diagnoseTime = 10 * time.Second

// SessionOptions says where a session runs and what it keeps.
type SessionOptions struct {
	// Runner is the environment of the walk's commands.
	Runner Options
	// File is the file for the progress (mode 0600), in an existing folder; "" saves none.
	File string
	// Fresh forgets the progress of an earlier session.
	Fresh bool
	// Git is the fleet's branch; nil for walks without one.
	Git Git
	// Needs are runners of the walks whose end state this one requires, in the order in which to run them.
	Needs []*Runner
	// Guest says that the cluster is the user's. Open then fails with a *GuestError if the walk, or one that it needs,
	// requires a cluster of its own.
	Guest bool
	// Rejoin restores the fleet to the commit of the saved progress if it has moved since, for example by another walk.
	// Learners may push while no session is open: for them it is restored only if the branch has lost that commit.
	Rejoin bool
	// Learner says that the user does the steps, maybe while no session is open. Each step then begins as soon as the one
	// before is done or undone: what is pushed from then on belongs to it.
	Learner bool
	// Diagnose describes in a few lines the objects that are not ready after a step has failed; "" if it finds none. nil
	// for walks without a cluster. ctx has a deadline.
	Diagnose func(ctx context.Context) string
	// Explain says in one line what a program waits for that has not come, for example what `kubectl wait` has found and
	// what it wants, given the program and its arguments; "" if it does not know. nil for walks without a cluster.
	Explain func(ctx context.Context, args []string) string
}

// Session is a walk in progress: it knows which steps are done, saves that on disk, and runs and undoes steps. Only one
// goroutine at a time may call Do; the other methods may be called at any time. Several processes may share one file:
// each sees what the others have done.
//
// A step that has begun and failed is not done. The next command undoes it first.
type Session struct {
	runner *Runner
	o      SessionOptions
	store  store
	p      progress

	// What others read while a command runs.
	ready    atomic.Bool // ActionBegin was carried out
	rejoined atomic.Bool // it has restored the fleet
	started  atomic.Bool
	position atomic.Int64
	begun    atomic.Bool
	hints    atomic.Int64
}

// Open makes a session, and resumes the saved progress of an earlier one, even if that one was killed. If the text of
// the walk has changed, it starts at the first step.
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
	r.explain = o.Explain
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

// Hints returns how many hints of the step at Position a learner has seen. The hints are the step's hint blocks, and
// after these its commands.
func (s *Session) Hints() int { return int(s.hints.Load()) }

// Started reports whether the setup is done, by this session or by one whose progress was taken up.
func (s *Session) Started() bool { return s.started.Load() }

// Resumed reports whether ActionBegin has nothing left to do.
func (s *Session) Resumed() bool {
	return s.Started() && (s.ready.Load() || s.Position() > 0 || s.Begun())
}

// Prepares reports whether ActionBegin has something to do that takes time: a setup, or walks that this one needs.
func (s *Session) Prepares() bool {
	return !s.Resumed() && (s.Walk().Setup != nil || len(s.o.Needs) > 0)
}

// CloneFollows has a learner's clone follow after the walk has moved the fleet: it has gone back, or done a step in its own
// clone.
const CloneFollows = "git fetch && git reset --hard origin/main"

// FleetRestored is what all who show a walk say after Rejoined.
const FleetRestored = "The fleet had moved since the last run. It is restored."

// HasFleet reports whether the walk changes the fleet's branch, which going back moves.
func (s *Session) HasFleet() bool { return s.o.Git != nil }

// Rejoined reports whether ActionBegin has restored a fleet that had moved.
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
		s.publish()
	}
	return f()
}

// publish shows others the progress.
func (s *Session) publish() {
	s.started.Store(s.p.Set)
	s.position.Store(int64(len(s.p.Done)))
	s.begun.Store(s.p.Begun != nil)
	s.hints.Store(int64(s.p.Hints))
}

func (s *Session) save() error {
	s.publish()
	return s.store.save(&s.p)
}

// CanRetry reports whether a second try makes sense after a step has failed with err. It does not if a program is
// missing, if a command has timed out, or if Options.Ready is not set.
func (s *Session) CanRetry(err error) bool {
	var failed *StepError
	return s.o.Runner.Ready != nil && errors.As(err, &failed) && failed.Timeout == 0 && !failed.missing()
}

// AwaitCluster waits until the cluster is ready. ctx carries a deadline.
func (s *Session) AwaitCluster(ctx context.Context) error { return s.o.Runner.Ready(ctx) }
