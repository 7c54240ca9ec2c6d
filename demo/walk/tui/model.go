package tui

import (
	"context"
	"errors"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// mode is what the keys mean at the moment.
type mode int

const (
	showing mode = iota
	helping      // the help is over the page
	asking       // a step's number is typed
	leaving      // q was pressed while the session is at work
)

// intro is the page before the first step.
const intro = -1

// model is everything that the screen knows. It is changed by Update only.
type model struct {
	session Session
	walk    *walk.Walk
	options Options
	stream  *stream
	work    sync.WaitGroup // what the session does right now
	now     func() time.Time
	// do has the session carry out a command in a goroutine, typing what is shown of it or not, and returns what stops
	// it. It has the context of Run.
	do func(c walk.Command, typing bool) context.CancelFunc

	width, height int
	styles        styles

	pages  []page // for each step
	at     int    // the page that is shown: intro, a step's index, or len(pages) for the end
	pos    int    // the session's position, as of its last word
	mode   mode
	number string // what was typed after g
	note   string // a message to the user, until the next key

	busy   *job     // what the session is doing; nil when it waits for us
	ended  bool     // the walk is over and cleaned up
	failed *failure // what it could not do; nil when all is well
	typing *typing  // the command that is being typed

	started time.Time // when the walk began; zero before
	frame   int       // counts the spinner's pictures

	full   bool // all of the output is shown
	follow bool // the end of the page is shown, also when it grows
	top    int  // the first line of the page that is shown, unless follow
}

// job is a command under way.
type job struct {
	command walk.Command
	cancel  context.CancelFunc
	since   time.Time
	retry   bool   // the same has failed just before
	stopped bool   // the presenter has stopped it
	running bool   // the step itself runs, and shows on its page
	what    string // quiet actions: which step or check it is at
	waiting string // quiet actions: what the check last said
}

// quiet reports whether only the job's end is worth showing.
func (j *job) quiet() bool {
	return j.command.Action != walk.ActionNext && j.command.Action != walk.ActionAgain
}

// tidies reports whether the job takes something back before a step runs.
func (j *job) tidies() bool { return !j.running && (j.command.Action == walk.ActionAgain || j.retry) }

// failure is a job that did not succeed.
type failure struct {
	job
	err  error
	step *walk.StepError // what err says about a command; nil when it is about something else
	took time.Duration   // how long the command ran
}

// typing is a command that appears one character after the other.
type typing struct {
	entry  *entry
	resume chan struct{}
}

func newModel(ctx context.Context, s Session, o Options) *model {
	w := s.Walk()
	if o.Speed <= 0 {
		o.Speed = DefaultSpeed
	}
	if o.Allotted <= 0 {
		o.Allotted = w.Duration
	}
	m := &model{
		session: s, walk: w, options: o, stream: newStream(), now: time.Now,
		width: 72, height: 20, styles: plainStyles(),
		pages: make([]page, len(w.Steps)), at: intro, pos: s.Position(),
	}
	m.do = func(c walk.Command, typing bool) context.CancelFunc {
		ctx, cancel := context.WithCancel(ctx)
		events := m.stream.events(ctx, typing)
		m.work.Go(func() {
			err := m.session.Do(ctx, c, events)
			cancel()
			m.stream.put(item{done: true, err: err})
		})
		return cancel
	}
	return m
}

// stop ends what the session is doing and waits for it; afterwards the session is the caller's again.
func (m *model) stop() {
	if m.busy != nil {
		m.busy.cancel()
	}
	close(m.stream.quit)
	m.work.Wait()
}

// start gives the session a command. What it reports comes over the stream; its end, too.
func (m *model) start(c walk.Command) tea.Cmd {
	j := &job{command: c, since: m.now(), retry: m.failed != nil}
	m.busy, m.failed, m.note = j, nil, ""
	j.cancel = m.do(c, m.options.Type && !j.quiet())
	return m.spin()
}

// act is start for an action that needs no step.
func (m *model) act(a walk.Action) tea.Cmd { return m.start(walk.Command{Action: a}) }

// done takes in the end of a job.
func (m *model) done(err error) tea.Cmd {
	j := m.busy
	m.busy, m.typing = nil, nil
	if m.mode == leaving {
		m.mode = showing
	}
	before, action := m.pos, j.command.Action
	if action == walk.ActionEnd && err == nil {
		m.ended = true
		return tea.Quit
	}
	m.pos = m.session.Position()
	if action == walk.ActionSkip {
		switch {
		case j.stopped:
			m.note = "Stopped."
		case err != nil:
			m.note = err.Error() // the step is still there, and can be run again
		}
		m.show(m.pos)
		return nil
	}
	if err != nil {
		m.failed = &failure{job: *j, err: err}
		if errors.As(err, &m.failed.step) {
			m.failed.took = m.spent(m.failed.step)
		}
		if m.at != intro || action != walk.ActionBegin {
			m.show(m.pos)
		}
		m.follow = true
		return nil
	}
	switch action {
	case walk.ActionBegin:
		if m.pos > 0 {
			m.note = "Resumed at the last position. To start again, press g 1 Enter."
			if m.session.Rejoined() {
				m.note = walk.FleetRestored
			}
			m.show(m.pos)
		}
	case walk.ActionBack, walk.ActionGoTo, walk.ActionRun:
		for i := range m.pages {
			switch {
			case i >= m.pos:
				m.pages[i] = page{}
			case i >= before:
				m.pages[i] = page{skipped: true}
			}
		}
		m.show(m.pos)
	}
	return nil
}

// spent returns how long the command that failed ran, without the time in which it was typed.
func (m *model) spent(e *walk.StepError) time.Duration {
	for _, p := range m.pages {
		for _, en := range p.entries {
			if en.command == e.Command && en.command != nil {
				return en.elapsed
			}
		}
	}
	return e.Elapsed
}

// show turns to a page.
func (m *model) show(at int) {
	m.at = at
	m.top = 0
	m.follow = m.ran()
}

// ran reports whether the page that is shown is that of a step that was run or is running.
func (m *model) ran() bool {
	return m.at >= 0 && m.at < len(m.pages) && len(m.pages[m.at].entries) > 0
}
