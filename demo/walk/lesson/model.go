package lesson

import (
	"context"
	"errors"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// pause is the shortest time between two looks at checks that fail at once.
const pause = time.Second

// state is what the learner sees of a check.
type state int

const (
	open state = iota
	waiting
	holds
	fails
)

// check is a check of the step, as it was seen last.
type check struct {
	block *walk.Block
	state state
	why   string
}

// model is all that the screen shows. It is changed by Update only.
type model struct {
	ctx     context.Context //nolint:containedctx // of Run, for the jobs that keys start
	session Session
	walk    *walk.Walk
	options Options
	send    func(tea.Msg)

	work   sync.WaitGroup
	cancel context.CancelFunc // of what the session does; nil if nothing
	watch  bool               // what it does is to wait for the checks
	then   *walk.Command      // what to do when that has ended
	label  string             // what it does, in words; "" while it waits for the checks
	busy   time.Time          // since when
	detail string             // what it is at, as the session says
	since  time.Time          // when the step was shown

	width, height, top int
	dark               bool

	at      int // the step that is shown; len(Steps) for the end
	begun   bool
	checks  []check
	hints   int
	note    string // a message, until the next key
	failed  error
	printed string // by the commands that the session has run of the step
	learnt  bool   // the step that is shown is done, and what it meant is shown
	ended   bool
	quits   bool
}

type (
	// eventMsg is something that the session reports.
	eventMsg struct{ walk.Event }
	// doneMsg says that the session has carried out a command.
	doneMsg struct {
		command walk.Command
		err     error
	}
	tickMsg struct{}
)

func newModel(ctx context.Context, s Session, o Options) *model {
	return &model{ctx: ctx, session: s, walk: s.Walk(), options: o, width: 72, height: 24, send: func(tea.Msg) {}}
}

func (m *model) stop() {
	if m.cancel != nil {
		m.cancel()
	}
	m.work.Wait()
}

// Init asks for the terminal's background, and has the session begin.
func (m *model) Init() tea.Cmd {
	m.do(walk.Command{Action: walk.ActionBegin}, "preparing the walk")
	return tea.Batch(tea.RequestBackgroundColor, tick())
}

func tick() tea.Cmd { return tea.Tick(time.Second, func(time.Time) tea.Msg { return tickMsg{} }) }

// do has the session carry out a command in the background. If it waits for the checks, that ends first.
func (m *model) do(c walk.Command, label string) {
	if m.cancel != nil {
		if m.watch {
			m.then, m.label, m.busy, m.detail = &c, label, time.Now(), ""
			m.cancel()
		}
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	m.cancel, m.label, m.busy, m.detail, m.watch = cancel, label, time.Now(), "", label == ""
	again := m.watch
	m.work.Go(func() {
		err := m.session.Do(ctx, c, func(ev walk.Event) { m.send(eventMsg{ev}) })
		for again && ctx.Err() == nil {
			if _, unmet := errors.AsType[*walk.StepError](err); !unmet {
				break
			}
			rest := time.NewTimer(pause)
			select {
			case <-rest.C:
			case <-ctx.Done():
				rest.Stop()
			}
			if ctx.Err() == nil {
				err = m.session.Do(ctx, c, func(ev walk.Event) { m.send(eventMsg{ev}) })
			}
		}
		cancel()
		m.send(doneMsg{c, err})
	})
}

// looks reports whether the step that is shown changes nothing.
func (m *model) looks() bool { return len(m.walk.Steps[m.at].With(walk.Change)) == 0 }

// show turns to the session's step, and waits for its checks if the learner has something to do.
func (m *model) show() {
	m.at, m.top, m.learnt, m.failed, m.printed = m.session.Position(), 0, false, nil, ""
	m.hints, m.checks, m.since = m.session.Hints(), nil, time.Now()
	if m.at == len(m.walk.Steps) {
		return
	}
	checks := m.walk.Steps[m.at].Checks()
	for i := range checks {
		m.checks = append(m.checks, check{block: &checks[i]})
	}
	m.await()
}

// await waits for the checks of a step that the learner has to do.
func (m *model) await() {
	if m.at < len(m.walk.Steps) && !m.looks() && !m.learnt {
		m.do(walk.Command{Action: walk.ActionComplete, Patience: walk.Patience}, "")
	}
}

// Update changes the model by a message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 {
			m.width, m.height = msg.Width, msg.Height
		}
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	case eventMsg:
		m.take(msg.Event)
	case doneMsg:
		return m, m.done(msg)
	case tickMsg:
		if m.begun && m.cancel == nil && !m.learnt && m.at < len(m.walk.Steps) && m.looks() {
			// `fluxdemo check` in the other terminal may have passed the step. To see that, a small file is read.
			m.do(walk.Command{Action: walk.ActionBegin}, "")
		}
		return m, tick()
	}
	return m, nil
}

// take takes in what the session reports of the checks.
func (m *model) take(ev walk.Event) {
	if ev.Kind == walk.Note {
		m.detail = ev.Text
		if m.note == "" {
			m.note = ev.Text
		}
	}
	if ev.Kind == walk.Output && ev.Block != nil && ev.Block.Role != walk.Check {
		m.printed += ev.Text
	}
	if ev.Block == nil || ev.Block.Role != walk.Check {
		return
	}
	for i := range m.checks {
		c := &m.checks[i]
		if c.block.Line != ev.Block.Line {
			continue
		}
		switch ev.Kind {
		case walk.BlockStart:
			if c.state != fails || !m.watch {
				c.state, c.why = waiting, ""
			}
		case walk.Waiting:
			c.state, c.why = waiting, ev.Text
		case walk.BlockEnd:
			if errors.Is(ev.Err, context.Canceled) {
				continue // a key has ended it
			}
			c.state = holds
			if ev.Err != nil {
				c.state = fails
				if failed, is := errors.AsType[*walk.StepError](ev.Err); is && failed.Meaning() != "" {
					c.why = failed.Meaning()
				}
			}
		}
	}
}

// done takes in the end of a command.
func (m *model) done(msg doneMsg) tea.Cmd {
	m.cancel, m.watch = nil, false
	next, label := m.then, m.label
	m.then, m.label = nil, ""
	if m.quits {
		return tea.Quit
	}
	if next != nil && m.session.Position() == m.at {
		m.do(*next, label)
		return nil
	}
	err := msg.err
	if unmet, is := errors.AsType[*walk.UnmetError](err); is {
		for i, r := range unmet.Results {
			m.checks[i].state, m.checks[i].why = holds, ""
			switch {
			case r.Unknown:
				m.checks[i].state, m.checks[i].why = open, r.Why
			case !r.Holds:
				m.checks[i].state, m.checks[i].why = fails, r.Why
			}
		}
		m.await()
		return nil
	}
	switch {
	case err == nil && msg.command.Action == walk.ActionBegin && m.begun && m.session.Position() == m.at:
		// Nothing is new.
	case errors.Is(err, context.Canceled):
		m.await()
	case err != nil:
		m.failed = err
		m.await()
	case msg.command.Action == walk.ActionEnd:
		m.ended = true
		return tea.Quit
	case msg.command.Action == walk.ActionBegin && !m.begun:
		m.begun = true
		m.show()
		if m.session.Rejoined() {
			m.note = walk.FleetRestored + " " + m.follow()
		}
	case msg.command.Action == walk.ActionHint:
		m.hints, m.top = m.session.Hints(), bottom // the new one is the last on the page
		m.await()
	case m.session.Position() == m.at+1 && (len(m.walk.Steps[m.at].Why()) > 0 || m.printed != ""):
		m.learnt, m.note = true, ""
		if msg.command.Action == walk.ActionNext && !m.looks() {
			m.note = m.follow()
		}
		if m.printed != "" {
			m.top = bottom // what was asked for is the last on the page
		}
		for i := range m.checks {
			m.checks[i].state, m.checks[i].why = holds, ""
		}
	default:
		m.show()
	}
	return nil
}

// key does what a key asks for.
func (m *model) key(key string) tea.Cmd {
	m.note = ""
	switch key {
	case "q", "ctrl+c":
		if m.cancel == nil {
			return tea.Quit
		}
		m.quits = true
		m.cancel()
		return nil
	case "up", "k":
		m.top--
		return nil
	case "down", "j":
		m.top++
		return nil
	case "pgup":
		m.top -= m.height / 2
		return nil
	case "pgdown", "space":
		m.top += m.height / 2
		return nil
	}
	if m.cancel != nil && !m.watch {
		return nil // busy: only leaving is possible
	}
	m.failed = nil
	end := m.at == len(m.walk.Steps)
	switch {
	case key == "b" && m.session.Position() == 0:
		m.note = walk.ErrStart.Error()
	case key == "b":
		// The step at Position has begun, because the learner may have: both are undone.
		m.do(walk.Command{Action: walk.ActionGoTo, Step: m.session.Position() - 1}, "undoing the step before")
		m.note = m.follow()
	case key == "enter" && end:
		m.do(walk.Command{Action: walk.ActionEnd}, "cleaning up")
	case key == "enter" && m.learnt:
		m.show()
	case end || m.learnt:
	case key == "enter" && m.looks():
		m.do(walk.Command{Action: walk.ActionComplete}, "checking")
	case key == "h":
		m.do(walk.Command{Action: walk.ActionHint}, "looking for a hint")
	case key == "c":
		m.do(walk.Command{Action: walk.ActionTry}, "checking")
	case key == "s":
		m.do(walk.Command{Action: walk.ActionNext}, "doing the step")
	case key == "r":
		m.do(walk.Command{Action: walk.ActionGoTo, Step: m.at}, "undoing what was done of the step")
		m.note = m.follow()
	}
	return nil
}

// follow is a message to a learner whose clone is not where the fleet is, "" if the walk does not move it.
func (m *model) follow() string {
	if !m.session.HasFleet() {
		return ""
	}
	return "Update your clone: " + walk.CloneFollows
}
