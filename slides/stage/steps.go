package stage

import (
	"context"
	"errors"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Session is a walk in progress: a *walk.Session. Only one of its methods that take a context runs at a time.
type Session interface {
	// Walk returns the walk.
	Walk() *walk.Walk
	// Position returns the index of the step that comes next; the number of steps when all are done.
	Position() int
	// Begun reports whether the step at Position was begun and did not succeed.
	Begun() bool
	// Do carries out a command and reports its progress.
	Do(ctx context.Context, c walk.Command, ev walk.Events) error
}

// Phase is the progress of a step.
type Phase string

// The phases of a step. A step without one has not run yet.
const (
	Preparing Phase = "preparing" // the steps before it run, without output
	Running   Phase = "running"   // its commands run
	Checking  Phase = "checking"  // it waits for the state that it leads to
	Done      Phase = "done"
	Undoing   Phase = "undoing" // its undo runs
	Undone    Phase = "undone"
	Failed    Phase = "failed"
)

// Step is a step that runs or has run.
type Step struct {
	stepModel
	Phase   Phase  `json:"phase"`
	Waiting string `json:"waiting,omitempty"` // Checking: what the check last said
	Error   string `json:"error,omitempty"`   // Failed: why

	of step
}

// is reports whether it is the step st.
func (w *Step) is(st *step) bool { return w != nil && w.Walk == st.walk.Name && w.of.index == st.index }

// failed reports whether the step that ran last has failed. The stage is locked.
func (s *Stage) failed() bool { return s.working != nil && s.working.Phase == Failed }

// Report returns a session that carries out commands with ses, and shows them on stage. A command that does not come
// from the stage turns the talk to the slide of its step.
func (s *Stage) Report(ses Session) Session { return &reported{Session: ses, stage: s} }

// reported is a session whose commands are shown on stage.
type reported struct {
	Session
	stage *Stage
}

// Do implements Session.
func (r *reported) Do(ctx context.Context, c walk.Command, ev walk.Events) error {
	quietly := func(what string) walk.Events { return walk.Both(r.stage.quietly(what), ev) }
	switch c.Action {
	case walk.ActionBegin:
		return r.Session.Do(ctx, c, quietly("prepare: "))
	case walk.ActionEnd:
		return r.Session.Do(ctx, c, quietly("clean up: "))
	case walk.ActionNext, walk.ActionAgain:
		return r.run(ev, func(ev walk.Events) error { return r.Session.Do(ctx, c, ev) })
	case walk.ActionGoTo:
		return r.goTo(ctx, c, quietly)
	case walk.ActionBack:
		r.stage.phase(r.step(r.Position()-1), Undoing)
		err := r.Session.Do(ctx, c, quietly("back: "))
		r.finished(Undone, err)
		return err
	case walk.ActionRun: // without output in the terminal; the stage shows its progress
		err := r.Session.Do(ctx, walk.Command{Action: walk.ActionNext}, r.stage.quietly("prepared: "))
		r.finished(Done, err)
		return err
	case walk.ActionSkip:
		err := r.Session.Do(ctx, c, ev)
		r.finished(Done, err)
		return err
	}
	return r.Session.Do(ctx, c, ev)
}

func (r *reported) goTo(ctx context.Context, c walk.Command, quietly func(what string) walk.Events) error {
	from, phase, what := r.Position(), Done, "prepared: "
	if c.Step == from && !r.Begun() {
		return nil
	}
	if c.Step <= from {
		phase, what = Undone, "back: "
		r.stage.phase(r.step(c.Step), Undoing)
	}
	err := r.Session.Do(ctx, c, quietly(what))
	r.finished(phase, err)
	return err
}

// step names a step of the walk; nil when there is none of that index.
func (r *reported) step(i int) *step {
	if i < 0 || i >= len(r.Walk().Steps) {
		return nil
	}
	return &step{r.Walk(), i}
}

// run runs the step at Position, or the one before, and shows its output.
func (r *reported) run(ev walk.Events, do func(walk.Events) error) error {
	show := r.stage.openly()
	err := do(walk.Both(func(e walk.Event) {
		if e.Kind == walk.StepStart && e.Step.Number > 0 {
			r.stage.turnTo(&step{r.Walk(), e.Step.Number - 1})
		}
		show(e)
	}, ev))
	r.finished(Done, err)
	return err
}

// finished updates the stage to the session's position after a command.
func (r *reported) finished(phase Phase, err error) {
	s := r.stage
	s.mu.Lock()
	defer s.release()
	if s.job == nil { // start handles the error of a job
		s.settle(err)
	}
	if err != nil {
		return
	}
	at := r.Position()
	if phase == Done {
		at--
	}
	st := r.step(at)
	if st == nil {
		return
	}
	p, shown := s.talk.before(s.position, st.walk.Name, st.index)
	if shown && phase == Done {
		p = s.talk.at(p.Slide, p.Press+1)
	}
	if shown && (p.Slide != s.position.Slide || (phase == Done) == (s.position.Press < p.Press)) {
		s.goTo(p)
	}
	s.setWorking(&Step{of: *st, stepModel: st.model(), Phase: phase})
}

// settle updates the stage to the result of a step. The stage is locked.
func (s *Stage) settle(err error) {
	if s.working == nil {
		return
	}
	w := *s.working
	switch {
	case err == nil && w.Phase == Preparing:
		w.Phase = Done
	case err == nil:
		return
	case errors.Is(err, context.Canceled):
		w.Phase, w.Error = Failed, "Stopped."
	default:
		w.Phase, w.Error = Failed, plaintext.Text(err.Error())
		var failed *walk.StepError
		if !errors.As(err, &failed) {
			s.say(err.Error() + "\n")
		}
	}
	s.setWorking(&w)
}

// setWorking sends the progress of a step to all browsers. The stage is locked.
func (s *Stage) setWorking(w *Step) {
	s.working = w
	s.send("step", w)
}

// phase sets the phase of a step; it does nothing if st is nil.
func (s *Stage) phase(st *step, phase Phase) {
	if st == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setWorking(&Step{of: *st, stepModel: st.model(), Phase: phase})
}

// turnTo shows the slide of a step that begins.
func (s *Stage) turnTo(st *step) {
	s.mu.Lock()
	defer s.release()
	if p, ok := s.talk.before(s.position, st.walk.Name, st.index); ok && p != s.position {
		s.goTo(p)
	}
	s.setWorking(&Step{of: *st, stepModel: st.model(), Phase: Running})
}
