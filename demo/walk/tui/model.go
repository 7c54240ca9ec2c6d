package tui

import (
	"context"
	"errors"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// action is something that the session is asked to do.
type action int

const (
	begin action = iota
	next
	back
	again
	skip
	goTo
	end
)

// mode is what the keys mean at the moment.
type mode int

const (
	telling mode = iota
	helping      // the help is over the page
	asking       // a step's number is typed
	leaving      // q was pressed while the session is at work
)

// intro is the page before the first step.
const intro = -1

// model is everything that the screen knows. It is changed by Update only.
type model struct {
	ctx     context.Context
	session Session
	walk    *walk.Walk
	options Options
	stream  *stream
	work    sync.WaitGroup // what the session does right now
	now     func() time.Time

	width, height int
	styles        styles

	pages  []page // for each step
	at     int    // the page that is shown: intro, a step's index, or len(pages) for the end
	pos    int    // the session's position, as of its last word
	mode   mode
	number string // what was typed after g
	note   string // a word to the speaker, until the next key

	busy   *job     // what the session is doing; nil when it waits for us
	ended  bool     // the walk is over and tidied up
	failed *failure // what it could not do; nil when all is well
	typing *typing  // the command that is being typed

	started time.Time // when the telling began; zero before
	frame   int       // counts the spinner's pictures

	full   bool // all of the output is shown
	follow bool // the end of the page is shown, also when it grows
	top    int  // the first line of the page that is shown, unless follow
}

// job is an action under way.
type job struct {
	action  action
	number  int // goTo: where to
	cancel  context.CancelFunc
	since   time.Time
	retry   bool   // the same has failed just before
	stopped bool   // the speaker has stopped it
	running bool   // the step itself runs, and shows on its page
	what    string // quiet actions: which step or check it is at
	waiting string // quiet actions: what the check last said
}

// quiet reports whether only the job's end is worth showing.
func (j *job) quiet() bool { return j.action != next && j.action != again }

// tidies reports whether the job takes something back before a step runs.
func (j *job) tidies() bool { return !j.running && (j.action == again || j.retry) }

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
	return &model{
		ctx: ctx, session: s, walk: w, options: o, stream: newStream(), now: time.Now,
		width: 72, height: 20, styles: plainStyles(),
		pages: make([]page, len(w.Steps)), at: intro, pos: s.Position(),
	}
}

// stop ends what the session is doing and waits for it; afterwards the session is the caller's again.
func (m *model) stop() {
	if m.busy != nil {
		m.busy.cancel()
	}
	close(m.stream.quit)
	m.work.Wait()
}

// start asks the session for an action. What it says comes over the stream; its end, too.
func (m *model) start(a action, number int) tea.Cmd {
	ctx, cancel := context.WithCancel(m.ctx)
	m.busy = &job{action: a, number: number, cancel: cancel, since: m.now(), retry: m.failed != nil}
	m.failed, m.note = nil, ""
	events := m.stream.events(ctx, m.options.Type && !m.busy.quiet())
	m.work.Go(func() {
		err := m.session.Do(ctx, walk.Command{Action: a.of(), Step: number}, events)
		cancel()
		m.stream.put(item{done: true, err: err})
	})
	return m.spin()
}

// of returns the session's action for one of the screen.
func (a action) of() walk.Action {
	switch a {
	case begin:
		return walk.ActionBegin
	case next:
		return walk.ActionNext
	case back:
		return walk.ActionBack
	case again:
		return walk.ActionAgain
	case skip:
		return walk.ActionRun
	case goTo:
		return walk.ActionGoTo
	default:
		return walk.ActionEnd
	}
}

// done takes in the end of a job.
func (m *model) done(err error) tea.Cmd {
	j := m.busy
	m.busy, m.typing = nil, nil
	if m.mode == leaving {
		m.mode = telling
	}
	before := m.pos
	if j.action == end && err == nil {
		m.ended = true
		return tea.Quit
	}
	m.pos = m.session.Position()
	if err != nil {
		m.failed = &failure{job: *j, err: err}
		if errors.As(err, &m.failed.step) {
			m.failed.took = m.spent(m.failed.step)
		}
		if m.at != intro || j.action != begin {
			m.show(m.pos)
		}
		m.follow = true
		return nil
	}
	switch j.action {
	case begin:
		if m.pos > 0 {
			m.note = "Taken up where it stopped. To start from the beginning: g 1"
			if m.session.Rejoined() {
				m.note = "Somebody has moved the fleet since. It is back where this was."
			}
			m.show(m.pos)
		}
	case back, goTo, skip:
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
