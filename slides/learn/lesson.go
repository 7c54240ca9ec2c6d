package learn

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/plain"
	"github.com/fluxdemo/fluxdemo/slides/diagrams"
	"github.com/fluxdemo/fluxdemo/slides/edits"
)

const (
	// firstWindow is how long a step's checks wait before the results of all are looked at again; it doubles up to
	// lastWindow while the learner is at work.
	firstWindow, lastWindow = 8 * time.Second, 64 * time.Second
	// again is the shortest time between two starts of a check.
	again = time.Second
	// outputBytes is about how much output of the page's commands is shown.
	outputBytes = 32 << 10
)

// errBusy says that a command is still running.
var errBusy = errors.New("another command is still running")

// lesson is a walk that a learner does: one goroutine gives the session commands, and tries the step's checks between
// them while a browser shows the page.
type lesson struct {
	o        Options
	show     func(lessonModel) // called with a new model; locked
	diagrams []*diagrams.Diagram
	commands chan string
	changed  chan struct{} // has an element when another process may have saved progress, or pushed

	mu      sync.Mutex
	sent    []byte // the last model, as JSON
	m       lessonModel
	step    stepModel // what is known of the checks of the step at m.Position
	viewers int
	came    chan struct{}      // closed when the first viewer comes
	taken   bool               // a command runs, or is about to
	stop    context.CancelFunc // stops it
	ending  bool               // the walk is cleaned up, or is just being
	output  strings.Builder
}

func newLesson(o Options, show func(lessonModel)) *lesson {
	w := o.Session.Walk()
	l := &lesson{
		o: o, show: show, taken: true /* by begin */, commands: make(chan string, 1), changed: make(chan struct{}, 1), came: make(chan struct{}),
		m: lessonModel{
			Walk: w.Name, Title: w.Title, Intro: texts(only(w.Intro, walk.Prose)), Of: len(w.Steps), First: []string{}, Terminal: o.Shell != nil,
			Links: append([]Link{}, o.Links...), Again: cmp.Or(o.Again, "fluxdemo learn "+w.Name),
		},
	}
	l.m.First = append(l.m.First, o.First...)
	// A step without a diagram shows that of the introduction.
	var shared *diagrams.Diagram
	for i, b := range only(w.Intro, walk.Diagram) {
		if i == 0 {
			d := diagrams.New(w.Name, b.Text, nil, diagrams.Binder{Defaults: o.Defaults})
			shared = &d
		}
	}
	for i := range w.Steps {
		l.diagrams = append(l.diagrams, shared)
		if own := w.Steps[i].With(walk.Diagram); len(own) > 0 {
			d := diagrams.New(w.Name+"-"+w.Steps[i].ID, own[0].Text, nil, diagrams.Binder{Defaults: o.Defaults})
			l.diagrams[i] = &d
		}
	}
	l.diagrams = append(l.diagrams, shared) // at the end
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update()
	return l
}

// only returns the blocks of a role.
func only(blocks []walk.Block, role walk.Role) []walk.Block {
	return (&walk.Step{Blocks: blocks}).With(role)
}

// bindings returns what the diagrams are bound to, by their IDs.
func (l *lesson) bindings() map[string]*binding.Binding {
	all := map[string]*binding.Binding{}
	for _, d := range l.diagrams {
		if d != nil && d.Bind != nil {
			all[d.ID] = d.Bind
		}
	}
	return all
}

// model returns the lesson as browsers receive it.
func (l *lesson) model() lessonModel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.m
}

// set changes the model, and shows it if it is another one then.
func (l *lesson) set(change func(m *lessonModel)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.m)
	l.update()
}

// update completes the model from the session, and shows it if it is new. The lesson is locked.
func (l *lesson) update() {
	ses := l.o.Session
	at, steps := ses.Position(), ses.Walk().Steps
	if l.ending { // the session is at its start again
		at = len(steps)
	}
	if l.step.ID == "" || l.m.Position != at {
		l.step = stepModel{Result: []resultModel{}}
	}
	l.m.Position, l.m.Step, l.m.Before, l.m.Diagram, l.m.Output = at, nil, nil, l.diagrams[at], l.output.String()
	if at < len(steps) {
		known := l.step
		l.step = *newStep(&steps[at], ses.Hints())
		l.step.Result, l.step.At, l.step.Asked = known.Result, known.At, known.Asked
		step := l.step
		l.m.Step = &step
	}
	if at > 0 {
		l.m.Before = &beforeModel{Title: steps[at-1].Title, Why: texts(steps[at-1].Why())}
	}
	data, err := json.Marshal(l.m)
	if err == nil && !bytes.Equal(data, l.sent) {
		l.sent = data
		l.show(l.m)
	}
}

// view counts a browser until the returned function is called.
func (l *lesson) view() (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.viewers++; l.viewers == 1 {
		close(l.came)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.viewers--; l.viewers == 0 {
			l.came = make(chan struct{})
		}
	}
}

// watch returns a function that notices until ctx ends when another process saves progress.
func (l *lesson) watch(ctx context.Context) (func(), error) {
	if l.o.Progress == "" {
		return func() {}, nil
	}
	run, err := edits.Watch(ctx, filepath.Dir(l.o.Progress), func(file string) {
		if file != "" && file != l.o.Progress {
			return
		}
		l.look()
	})
	if err != nil {
		return nil, fmt.Errorf("watching the walk's progress: %w", err)
	}
	return run, nil
}

// look has the checks tried now.
func (l *lesson) look() {
	select {
	case l.changed <- struct{}{}:
	default: // it is due already
	}
}

// run carries out commands until ctx ends, and tries the checks between them.
func (l *lesson) run(ctx context.Context) {
	l.carryOut(ctx, "begin")
	for ctx.Err() == nil {
		waiting, cancel := context.WithCancel(ctx)
		over := make(chan struct{})
		go func() {
			defer close(over)
			l.wait(waiting)
		}()
		command := ""
		select {
		case <-over:
		case <-l.changed:
		case command = <-l.commands:
		case <-ctx.Done():
		}
		cancel()
		<-over // the session belongs to it until then
		if command != "" {
			l.carryOut(ctx, command)
		}
	}
}

// wait tries the checks of the step again and again, and returns when the step is done or ctx ends.
func (l *lesson) wait(ctx context.Context) {
	l.mu.Lock()
	came, ready := l.came, l.m.Ready && !l.m.Ended
	l.mu.Unlock()
	select {
	case <-came: // without a browser nothing is tried: the shell's `fluxdemo check` does it
	case <-ctx.Done():
		return
	}
	ses := l.o.Session
	if ready {
		// It only takes up what another process has saved.
		l.trouble(ctx, ses.Do(ctx, walk.Command{Action: walk.ActionBegin}, nil))
	}
	at := ses.Position()
	l.set(func(*lessonModel) {})
	if !ready || at == len(ses.Walk().Steps) || looks(&ses.Walk().Steps[at]) {
		<-ctx.Done()
		return
	}
	for window := firstWindow; ctx.Err() == nil && ses.Position() == at; window = min(2*window, lastWindow) {
		l.try(ctx, false)
		if ses.Position() == at {
			l.await(ctx, window)
		}
	}
	l.set(func(m *lessonModel) {
		if ses.Position() != at {
			m.Note, m.Follow = "", "" // of a step that is over
		}
	})
}

// try looks at the checks once.
func (l *lesson) try(ctx context.Context, asked bool) {
	at := l.o.Session.Position()
	err := l.o.Session.Do(ctx, walk.Command{Action: walk.ActionTry}, nil)
	if ctx.Err() != nil {
		return
	}
	unmet, is := errors.AsType[*walk.UnmetError](err)
	if !is {
		l.trouble(ctx, err)
		return
	}
	l.set(func(m *lessonModel) {
		m.Trouble, m.Waiting = "", ""
		if m.Position == at {
			l.step.Result, l.step.At = newResults(unmet.Results), time.Now().UnixMilli()
			l.step.Asked = l.step.Asked || asked
		}
	})
}

// await waits for a while until all checks pass.
func (l *lesson) await(ctx context.Context, window time.Duration) {
	waiting, cancel := context.WithTimeout(ctx, window)
	defer cancel()
	at := l.o.Session.Position()
	for waiting.Err() == nil && l.o.Session.Position() == at {
		begun := time.Now()
		err := l.o.Session.Do(waiting, walk.Command{Action: walk.ActionComplete, Patience: walk.Patience}, func(ev walk.Event) {
			if ev.Kind == walk.Waiting {
				l.set(func(m *lessonModel) { m.Waiting = ev.Text })
			}
		})
		if err != nil && waiting.Err() == nil && !isStep(err) {
			l.trouble(ctx, err)
		}
		if err == nil {
			return
		}
		// Checks wait by themselves. One that fails at once has nothing to wait for yet.
		pause := time.NewTimer(again - time.Since(begun))
		select {
		case <-pause.C:
		case <-waiting.Done():
			pause.Stop()
		}
	}
}

func isStep(err error) bool {
	_, is := errors.AsType[*walk.StepError](err)
	return is
}

// trouble shows what has gone wrong, or that nothing has.
func (l *lesson) trouble(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	text := ""
	if err != nil {
		text = plaintext.Text(err.Error())
	}
	if _, gone := os.Stat(filepath.Dir(l.o.Progress)); l.o.Progress != "" && gone != nil {
		text = "The progress of this walk is gone: `fluxdemo reset` removes it. End `fluxdemo learn` with Ctrl-C, then start it again."
	}
	l.set(func(m *lessonModel) { m.Trouble = text })
}

// Write implements io.Writer: it adds to the output of the page's commands.
func (l *lesson) Write(p []byte) (int, error) {
	l.set(func(*lessonModel) {
		if l.output.Len() < outputBytes {
			l.output.Write(p)
		}
	})
	return len(p), nil
}

// screen returns the Events that show the commands that the page runs.
func (l *lesson) screen() *plain.Screen { return plain.NewScreen(l, nil) }
