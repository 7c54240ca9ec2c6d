package stage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Job is a step under way.
type Job struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of what was done; read it after done
}

// Wait returns when the step has ended, with its error, or when ctx ends. A nil job has ended well.
func (j *Job) Wait(ctx context.Context) error {
	if j == nil {
		return nil
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next brings about the next beat: it ends a wait, runs a step, or turns to the next slide. A step runs on after Next
// has returned; the job is nil when there is none. It fails with ErrBusy while a step runs.
func (s *Stage) Next() (*Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job != nil {
		return nil, ErrBusy
	}
	b, more := s.talk.next(s.place)
	if !more {
		if s.place.Slide+1 < len(s.talk.slides) {
			s.goTo(s.talk.at(s.place.Slide+1, 0))
		}
		return nil, nil
	}
	st := s.talk.slides[s.place.Slide].step(b)
	if st == nil {
		s.goTo(s.talk.at(s.place.Slide, s.place.Beat+1))
		return nil, nil
	}
	from := s.place
	return s.start(*st, func(ctx context.Context, ses Session) error {
		if ses.Position() > st.index && !ses.Begun() {
			s.moveFrom(from) // it was done before, by another slide or another hand
			return nil
		}
		if err := ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: st.index}, nil); err != nil {
			return err
		}
		return ses.Do(ctx, walk.Command{Action: walk.ActionNext}, nil)
	})
}

// moveFrom goes on by a beat, unless somebody else has.
func (s *Stage) moveFrom(p Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.place == p {
		s.goTo(s.talk.at(p.Slide, p.Beat+1))
	}
}

// Back takes the last beat back. A step that was run is undone; that goes on after Back has returned. On a slide
// without beats it turns to the end of the slide before. It fails with ErrBusy while a step runs.
func (s *Stage) Back() (*Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job != nil {
		return nil, ErrBusy
	}
	if b, ok := s.talk.next(s.place); ok && s.failed() {
		// What a failed step has left is taken back first.
		if st := s.talk.slides[s.place.Slide].step(b); st != nil && s.working.is(st) {
			return s.start(*st, func(ctx context.Context, ses Session) error {
				return ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: st.index}, nil)
			})
		}
	}
	if s.place.Beat == 0 {
		if s.place.Slide > 0 {
			before := s.place.Slide - 1
			s.goTo(s.talk.at(before, len(s.talk.slides[before].beats)))
		}
		return nil, nil
	}
	before := s.talk.at(s.place.Slide, s.place.Beat-1)
	b, _ := s.talk.next(before)
	st := s.talk.slides[s.place.Slide].step(b)
	if st == nil {
		s.goTo(before)
		return nil, nil
	}
	return s.start(*st, func(ctx context.Context, ses Session) error {
		if err := ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: st.index}, nil); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.goTo(before)
		return nil
	})
}

// GoTo turns to a slide that is named by its ID, its number or its title. No step is run or taken back. It fails with
// ErrBusy while a step runs.
func (s *Stage) GoTo(name string, fragment int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job != nil {
		return ErrBusy
	}
	p, err := s.talk.find(name)
	if err != nil {
		return err
	}
	s.goTo(s.talk.fragment(p, fragment))
	return nil
}

// Again takes the last step back and runs it once more. It fails with ErrBusy while a step runs.
func (s *Stage) Again() (*Job, error) {
	return s.startWorking(func(ctx context.Context, ses Session, index int) error {
		if err := ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: index}, nil); err != nil {
			return err
		}
		return ses.Do(ctx, walk.Command{Action: walk.ActionNext}, nil)
	})
}

// Skip leaves the step that has failed behind, as if it were done. It fails with ErrBusy while a step runs.
func (s *Stage) Skip() (*Job, error) {
	return s.startWorking(func(ctx context.Context, ses Session, index int) error {
		if ses.Position() == index {
			return ses.Do(ctx, walk.Command{Action: walk.ActionSkip}, nil)
		}
		return nil
	})
}

// Stop ends the step that runs, as Ctrl-C would.
func (s *Stage) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job != nil {
		s.job.cancel()
	}
}

// startWorking does something with the step that ran last.
func (s *Stage) startWorking(do func(ctx context.Context, ses Session, index int) error) (*Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job != nil {
		return nil, ErrBusy
	}
	if s.working == nil {
		return nil, fmt.Errorf("%w: no step has run yet", errInput)
	}
	st := s.working.of
	return s.start(st, func(ctx context.Context, ses Session) error { return do(ctx, ses, st.index) })
}

// ResetClock starts the talk's time anew.
func (s *Stage) ResetClock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = time.Now()
	s.send("place", s.placed())
	_ = s.keep() // tried again with the next place
}

// start does something with the session of a step's walk, in the background. The stage is locked.
func (s *Stage) start(st step, do func(ctx context.Context, ses Session) error) (*Job, error) {
	if s.ctx == nil {
		return nil, errors.New("the stage is not open yet")
	}
	ctx, cancel := context.WithCancel(s.ctx)
	j := &Job{cancel: cancel, done: make(chan struct{})}
	s.job = j
	s.working = &Step{of: st, stepModel: st.model(), Phase: Preparing}
	s.send("step", s.working)
	s.jobs.Go(func() {
		defer cancel()
		err := s.with(ctx, st.walk, do)
		s.mu.Lock()
		s.job, j.err = nil, err
		s.settle(err)
		s.mu.Unlock()
		close(j.done)
	})
	return j, nil
}

// with calls do with the session of a walk, which it opens and begins if nobody has.
func (s *Stage) with(ctx context.Context, w *walk.Walk, do func(ctx context.Context, ses Session) error) error {
	ses, err := s.session(ctx, w)
	if err != nil {
		return err
	}
	if err := ses.Do(ctx, walk.Command{Action: walk.ActionBegin}, nil); err != nil {
		return err
	}
	return do(ctx, ses)
}

// session returns the session of a walk. One walk at a time is told: the one before is tidied up, since its undo would
// meet what this one has made.
func (s *Stage) session(ctx context.Context, w *walk.Walk) (Session, error) {
	if s.o.Told != nil && s.o.Told.Walk().Name == w.Name {
		return s.o.Told, nil
	}
	s.mu.Lock()
	ses, before := s.sessions[w.Name], s.sessions[s.current]
	if s.current == w.Name {
		before = nil
	}
	s.mu.Unlock()
	if before != nil {
		if err := before.Do(ctx, walk.Command{Action: walk.ActionEnd}, nil); err != nil {
			return nil, fmt.Errorf("tidy up after the walk %s: %w", before.Walk().Name, err)
		}
	}
	if ses == nil {
		opened, err := s.o.Walks.Open(ctx, w.Name)
		if err != nil {
			return nil, err
		}
		ses = s.Report(opened)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[w.Name], s.current = ses, w.Name
	return ses, nil
}
