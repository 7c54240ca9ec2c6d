package walk

import (
	"context"
	"fmt"
	"time"
)

// Action is what a Command does with a session.
type Action string

// The actions of a session, each with the name that keys, help and HTTP share.
const (
	ActionBegin Action = "begin" // prepare the state that the walk starts from
	ActionNext  Action = "next"  // run the step at Position
	ActionBack  Action = "back"  // undo the step before Position, or the failed one at Position
	ActionAgain Action = "again" // undo the last step and run it once more
	ActionRun   Action = "run"   // run the step at Position silently
	ActionSkip  Action = "skip"  // mark the step at Position as done without running it
	ActionGoTo  Action = "goto"  // run or undo the steps between Position and Command.Step
	ActionEnd   Action = "end"   // run the cleanup and remove the progress

	// Of learners, who do the steps themselves.
	ActionCheck    Action = "check"    // wait for the state that the step at Position leads to
	ActionComplete Action = "complete" // ActionCheck, and mark the step as done
	ActionHint     Action = "hint"     // note that the learner has seen one more hint; see Session.Hints
	ActionTry      Action = "try"      // look within 2 s at which checks hold, and mark the step as done if all do
)

// Patience is that of those who repeat ActionComplete until the learner has done the step.
const Patience = 10 * time.Second

// Command is what a key, a button or the shell asks of a session, for example Command{Action: ActionNext}.
type Command struct {
	Action Action
	Step   int // ActionGoTo: the index of the step that comes next, counted from 0; len(Steps) for the end
	// Patience is how long a program of ActionComplete may wait at a time, 0 for as long as the walk says. It is for those
	// who repeat the command: what a check compares with, such as the head of main, moves while a learner works.
	Patience time.Duration
}

// Do carries out a command and reports its progress to ev, which may be nil. It returns a *StepError when a command
// of the walk fails, an *UnmetError when ActionTry finds a check that does not hold, ErrStart or ErrEnd when there is no step to undo or to run, and an error for an unknown action.
func (s *Session) Do(ctx context.Context, c Command, ev Events) error {
	err := s.carryOut(ctx, c, ev)
	if err != nil || !s.o.Learner || c.Action == ActionEnd || !s.Started() || s.Begun() || s.Position() == len(s.Walk().Steps) {
		return err
	}
	return s.note(ctx)
}

func (s *Session) carryOut(ctx context.Context, c Command, ev Events) error {
	switch c.Action {
	// These hold the walk's lock themselves, and not all the time: others may work on it while they wait.
	case ActionCheck:
		return s.await(ctx, ev)
	case ActionComplete:
		return s.complete(ctx, c.Patience, ev)
	case ActionTry:
		return s.try(ctx)
	case ActionEnd:
		return s.end(ctx, ev)
	}
	return s.locked(ctx, func() error {
		switch c.Action {
		case ActionBegin:
			return s.start(ctx, ev)
		case ActionNext:
			return s.next(ctx, ev)
		case ActionRun:
			return s.next(ctx, nil)
		case ActionBack:
			return s.back(ctx, ev)
		case ActionAgain:
			return s.again(ctx, ev)
		case ActionSkip:
			return s.skip()
		case ActionGoTo:
			return s.goTo(ctx, c.Step, ev)
		case ActionHint:
			return s.hint()
		}
		return fmt.Errorf("unknown command %q", c.Action)
	})
}
