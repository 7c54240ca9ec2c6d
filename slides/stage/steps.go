package stage

import (
	"context"
	"errors"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// Session is a walk on the way: a *walk.Session. Only one of its methods that take a context runs at a time.
type Session interface {
	// Walk returns the walk that is told.
	Walk() *walk.Walk
	// Position returns the index of the step that comes next; the number of steps when all are done.
	Position() int
	// Begun reports whether the step at Position was begun and did not succeed.
	Begun() bool
	// Begin brings about what the walk starts from, unless it goes on where it was interrupted.
	Begin(context.Context, walk.Events) error
	// Next runs the step at Position.
	Next(context.Context, walk.Events) error
	// Back takes back the step before Position, or what a failed one at Position has left.
	Back(context.Context, walk.Events) error
	// Again takes the step before Position back and runs it once more.
	Again(context.Context, walk.Events) error
	// Skip brings the step at Position about silently.
	Skip(context.Context) error
	// GoTo brings about or takes back what lies between, until Position is n.
	GoTo(ctx context.Context, n int, ev walk.Events) error
	// Pass goes on as if the step at Position were done.
	Pass()
	// End takes away what the walk leaves behind.
	End(context.Context, walk.Events) error
}

// Phase is how far a step is.
type Phase string

// The phases of a step. One that is on a slide and has none yet is offered.
const (
	Preparing Phase = "preparing" // what comes before is brought about, silently
	Running   Phase = "running"   // its commands run
	Checking  Phase = "checking"  // it waits for the state that it leads to
	Done      Phase = "done"
	Undoing   Phase = "undoing" // it is taken back
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

// Report returns a session that does what ses does, and shows it on stage. What does not come from the stage moves
// the talk to the slide that names the step.
func (s *Stage) Report(ses Session) Session { return &reported{Session: ses, stage: s} }

// reported is a session whose doings are on stage.
type reported struct {
	Session
	stage *Stage
}

// Begin implements Session.
func (r *reported) Begin(ctx context.Context, ev walk.Events) error {
	return r.Session.Begin(ctx, walk.Both(r.stage.quietly("prepare: "), ev))
}

// Next implements Session.
func (r *reported) Next(ctx context.Context, ev walk.Events) error {
	return r.run(ev, func(ev walk.Events) error { return r.Session.Next(ctx, ev) })
}

// Again implements Session.
func (r *reported) Again(ctx context.Context, ev walk.Events) error {
	return r.run(ev, func(ev walk.Events) error { return r.Session.Again(ctx, ev) })
}

// Skip implements Session.
func (r *reported) Skip(ctx context.Context) error {
	err := r.Session.Next(ctx, r.stage.quietly("brought about: "))
	r.moved(Done, err)
	return err
}

// Back implements Session.
func (r *reported) Back(ctx context.Context, ev walk.Events) error {
	r.stage.phase(r.step(r.Position()-1), Undoing)
	err := r.Session.Back(ctx, walk.Both(r.stage.quietly("back: "), ev))
	r.moved(Undone, err)
	return err
}

// GoTo implements Session.
func (r *reported) GoTo(ctx context.Context, n int, ev walk.Events) error {
	from, phase, what := r.Position(), Done, "brought about: "
	if n == from && !r.Begun() {
		return nil
	}
	if n <= from {
		phase, what = Undone, "back: "
		r.stage.phase(r.step(n), Undoing)
	}
	err := r.Session.GoTo(ctx, n, walk.Both(r.stage.quietly(what), ev))
	r.moved(phase, err)
	return err
}

// Pass implements Session.
func (r *reported) Pass() {
	r.Session.Pass()
	r.moved(Done, nil)
}

// End implements Session.
func (r *reported) End(ctx context.Context, ev walk.Events) error {
	return r.Session.End(ctx, walk.Both(r.stage.quietly("tidy up: "), ev))
}

// step names a step of the walk; nil when there is none of that index.
func (r *reported) step(i int) *step {
	if i < 0 || i >= len(r.Walk().Steps) {
		return nil
	}
	return &step{r.Walk(), i}
}

// run runs the step at Position, or the one before, in front of everybody.
func (r *reported) run(ev walk.Events, do func(walk.Events) error) error {
	show := r.stage.openly()
	err := do(walk.Both(func(e walk.Event) {
		if e.Kind == walk.StepStart && e.Step.Number > 0 {
			r.stage.turnTo(&step{r.Walk(), e.Step.Number - 1})
		}
		show(e)
	}, ev))
	r.moved(Done, err)
	return err
}

// moved takes in where the session stands after something was done.
func (r *reported) moved(phase Phase, err error) {
	s := r.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job == nil { // nobody else takes in the error
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
	p, shown := s.talk.of(s.place, st.walk.Name, st.index)
	if shown && phase == Done {
		p = s.talk.at(p.Slide, p.Beat+1)
	}
	if shown && (p.Slide != s.place.Slide || (phase == Done) == (s.place.Beat < p.Beat)) {
		s.goTo(p)
	}
	s.setWorking(&Step{of: *st, stepModel: st.model(), Phase: phase})
}

// settle takes in how a step has ended. The stage is locked.
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
		w.Phase, w.Error = Failed, "It was stopped."
	default:
		w.Phase, w.Error = Failed, err.Error()
		var failed *walk.StepError
		if !errors.As(err, &failed) {
			s.say(err.Error() + "\n")
		}
	}
	s.setWorking(&w)
}

// setWorking tells everybody how far a step is. The stage is locked.
func (s *Stage) setWorking(w *Step) {
	s.working = w
	s.send("step", w)
}

// phase says how far a step is; nil means that there is none.
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
	defer s.mu.Unlock()
	if p, ok := s.talk.of(s.place, st.walk.Name, st.index); ok && p != s.place {
		s.goTo(p)
	}
	s.setWorking(&Step{of: *st, stepModel: st.model(), Phase: Running})
}
