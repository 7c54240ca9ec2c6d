package stage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Job is a running step.
type Job struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // the result; read it after done
}

// Wait returns when the step has ended, with its error, or when ctx ends. A nil job has succeeded.
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

// Next advances the talk: it shows the next fragment, runs a step, or turns to the next slide. A step still runs after
// Next has returned; the job is nil if there is none. Next fails with ErrBusy while a step runs.
func (s *Stage) Next() (*Job, error) {
	s.mu.Lock()
	defer s.release()
	if s.job != nil {
		return nil, ErrBusy
	}
	pressed, more := s.talk.next(s.position)
	if !more {
		if s.position.Slide+1 < len(s.talk.slides) {
			s.goTo(s.talk.at(s.position.Slide+1, 0))
		}
		return nil, nil
	}
	st := s.talk.slides[s.position.Slide].step(pressed)
	if st == nil {
		s.goTo(s.talk.at(s.position.Slide, s.position.Press+1))
		return nil, nil
	}
	from := s.position
	return s.start(*st, func(ctx context.Context, ses Session) error {
		if ses.Position() > st.index && !ses.Begun() {
			s.advance(from) // it is done already, on another slide or in the terminal
			return nil
		}
		if err := ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: st.index}, nil); err != nil {
			return err
		}
		return ses.Do(ctx, walk.Command{Action: walk.ActionNext}, nil)
	})
}

// advance advances the talk by a press from p, unless the position is another one by now.
func (s *Stage) advance(p Position) {
	s.mu.Lock()
	defer s.release()
	if s.position == p {
		s.goTo(s.talk.at(p.Slide, p.Press+1))
	}
}

// Back undoes the last press. If that was a step, the undo still runs after Back has returned. At the start of a slide
// it turns to the end of the slide before. It fails with ErrBusy while a step runs.
func (s *Stage) Back() (*Job, error) {
	s.mu.Lock()
	defer s.release()
	if s.job != nil {
		return nil, ErrBusy
	}
	if pressed, ok := s.talk.next(s.position); ok && s.failed() {
		// A failed step is undone first.
		if st := s.talk.slides[s.position.Slide].step(pressed); st != nil && s.working.is(st) {
			return s.start(*st, func(ctx context.Context, ses Session) error {
				return ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: st.index}, nil)
			})
		}
	}
	if s.position.Press == 0 {
		if s.position.Slide > 0 {
			before := s.position.Slide - 1
			s.goTo(s.talk.at(before, len(s.talk.slides[before].presses)))
		}
		return nil, nil
	}
	before := s.talk.at(s.position.Slide, s.position.Press-1)
	pressed, _ := s.talk.next(before)
	st := s.talk.slides[s.position.Slide].step(pressed)
	if st == nil {
		s.goTo(before)
		return nil, nil
	}
	return s.start(*st, func(ctx context.Context, ses Session) error {
		if err := ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: st.index}, nil); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.release()
		s.goTo(before)
		return nil
	})
}

// GoTo turns to a slide, given by its ID, its number, or its title. fragment is the last fragment that shows, counted
// from 0; -1 for none. GoTo neither runs nor undoes steps. It fails with ErrBusy while a step runs.
func (s *Stage) GoTo(name string, fragment int) error {
	s.mu.Lock()
	defer s.release()
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

// Again undoes the last step and runs it once more. It fails with ErrBusy while a step runs.
func (s *Stage) Again() (*Job, error) {
	return s.startWorking(func(ctx context.Context, ses Session, index int) error {
		if err := ses.Do(ctx, walk.Command{Action: walk.ActionGoTo, Step: index}, nil); err != nil {
			return err
		}
		return ses.Do(ctx, walk.Command{Action: walk.ActionNext}, nil)
	})
}

// Skip marks the failed step as done. It fails with ErrBusy while a step runs.
func (s *Stage) Skip() (*Job, error) {
	return s.startWorking(func(ctx context.Context, ses Session, index int) error {
		if ses.Position() == index {
			return ses.Do(ctx, walk.Command{Action: walk.ActionSkip}, nil)
		}
		return nil
	})
}

// Stop interrupts the running step, as Ctrl-C does.
func (s *Stage) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job != nil {
		s.job.cancel()
	}
}

// startWorking calls do with the step that ran last.
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

// ResetClock restarts the talk's clock.
func (s *Stage) ResetClock() {
	s.mu.Lock()
	defer s.release()
	s.started, s.unkept = time.Now(), true
	s.sendPosition()
}

// start calls do with the session of a step's walk, in the background. The stage is locked.
func (s *Stage) start(st step, do func(ctx context.Context, ses Session) error) (*Job, error) {
	if s.run == nil {
		return nil, errors.New("the stage is not open")
	}
	j := &Job{done: make(chan struct{})}
	s.job = j
	s.setWorking(&Step{of: st, stepModel: st.model(), Phase: Preparing})
	j.cancel = s.run(func(ctx context.Context) {
		err := s.with(ctx, st.walk, do)
		s.mu.Lock()
		s.job, j.err = nil, err
		s.settle(err)
		s.mu.Unlock()
		close(j.done)
	})
	return j, nil
}

// with calls do with the session of a walk, which it opens and begins if need be.
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

// session returns the session of a walk. Only one walk runs at a time: the one before is cleaned up first, because its
// undo would conflict with the changes of this one.
func (s *Stage) session(ctx context.Context, w *walk.Walk) (Session, error) {
	if s.o.Session != nil && s.o.Session.Walk().Name == w.Name {
		return s.o.Session, nil
	}
	s.mu.Lock()
	ses, before := s.sessions[w.Name], s.sessions[s.current]
	if s.current == w.Name {
		before = nil
	}
	s.mu.Unlock()
	if before != nil {
		if err := before.Do(ctx, walk.Command{Action: walk.ActionEnd}, nil); err != nil {
			return nil, fmt.Errorf("cleaning up after the walk %s: %w", before.Walk().Name, err)
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
