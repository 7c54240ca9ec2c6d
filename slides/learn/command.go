package learn

import (
	"context"
	"errors"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// busy says in words what a command does, by its name; "" if it is done at once.
func busy() map[string]string {
	return map[string]string{
		"begin": "Preparing the walk",
		"check": "Checking",
		"hint":  "",
		"next":  "Checking",
		"solve": "Solving the step",
		"reset": "Undoing the step",
		"back":  "Undoing the step before",
		"end":   "Cleaning up",
	}
}

// command has a command carried out, and returns how many were taken before the model that shows it: a browser that has
// that model knows what runs. It fails with errBusy while another one runs.
func (l *lesson) command(name string) (taken int, err error) {
	if name == "stop" {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.stop != nil {
			l.stop()
		}
		return l.m.Taken, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken {
		return 0, errBusy
	}
	l.taken, l.m.Busy = true, busy()[name]
	l.m.Taken++
	l.update()
	l.commands <- name // has room: nothing else is on its way
	return l.m.Taken, nil
}

// carryOut does what a command asks for.
func (l *lesson) carryOut(ctx context.Context, name string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.set(func(m *lessonModel) {
		l.stop, l.taken, l.ending = cancel, true, name == "end"
		m.Busy, m.Waiting, m.Trouble = busy()[name], "", ""
		if name != "check" && name != "hint" {
			m.Note, m.Follow = "", ""
			l.output.Reset()
		}
	})
	moves := l.movesFleet(name)
	err := l.perform(ctx, name)
	stopped := errors.Is(err, context.Canceled) && ctx.Err() != nil
	l.set(func(m *lessonModel) {
		l.stop, l.taken = nil, false
		m.Busy, m.Waiting = "", ""
		l.ending = l.ending && err == nil
		switch {
		case stopped:
			m.Trouble = "Stopped."
		case err != nil:
			m.Trouble = err.Error()
		case name == "begin":
			m.Ready = true
			if l.o.Session.Rejoined() {
				m.Note, m.Follow = walk.FleetRestored+" Update your clone:", walk.CloneFollows
			}
		case name == "end":
			m.Ended = true
		case moves:
			m.Note, m.Follow = "The fleet has moved. Update your clone:", walk.CloneFollows
		}
	})
}

// movesFleet reports whether a command moves the fleet without the learner's clone: it goes back, or does a step in the
// walk's own clone.
func (l *lesson) movesFleet(name string) bool {
	ses := l.o.Session
	at, steps := ses.Position(), ses.Walk().Steps
	return ses.HasFleet() && (name == "reset" || name == "back" || name == "solve" && at < len(steps) && !looks(&steps[at]))
}

func (l *lesson) perform(ctx context.Context, name string) error {
	ses := l.o.Session
	at := ses.Position()
	do := func(c walk.Command, ev walk.Events) error { return ses.Do(ctx, c, walk.Both(l.waiting, ev)) }
	switch name {
	case "begin":
		return do(walk.Command{Action: walk.ActionBegin}, nil)
	case "check":
		l.try(ctx, true)
		return nil
	case "hint":
		return do(walk.Command{Action: walk.ActionHint}, nil)
	case "next":
		if at == len(ses.Walk().Steps) || !looks(&ses.Walk().Steps[at]) {
			return nil
		}
		return do(walk.Command{Action: walk.ActionComplete}, nil)
	case "solve":
		return do(walk.Command{Action: walk.ActionNext}, l.screen().Commands())
	case "reset":
		return do(walk.Command{Action: walk.ActionGoTo, Step: at}, nil)
	case "back":
		// ActionBack would only undo what the learner has done of this step.
		return do(walk.Command{Action: walk.ActionGoTo, Step: max(at-1, 0)}, nil)
	case "end":
		return do(walk.Command{Action: walk.ActionEnd}, nil)
	}
	return nil
}

// waiting is the Events that shows what is waited for.
func (l *lesson) waiting(ev walk.Event) {
	if ev.Kind == walk.Note {
		l.set(func(m *lessonModel) { m.Waiting = ev.Text })
	}
	if ev.Kind == walk.Waiting {
		text := ev.Block.Name()
		if ev.Text != "" {
			text += ": " + ev.Text
		}
		l.set(func(m *lessonModel) { m.Waiting = text })
	}
}
