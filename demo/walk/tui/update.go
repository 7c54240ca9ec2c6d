package tui

import (
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

const (
	spinEvery = 200 * time.Millisecond
	// typeAtMost is how long the typing of one command takes at most: a long one is typed faster.
	typeAtMost = 4 * time.Second
)

// The ticks. They carry nothing: what is due shows when they arrive.
type (
	secondMsg struct{}
	spinMsg   struct{}
	typeMsg   struct{ of *typing }
)

// Init asks for the terminal's background, and has the session begin.
func (m *model) Init() tea.Cmd {
	return tea.Batch(tea.RequestBackgroundColor, m.stream.read, second(), m.act(walk.ActionBegin))
}

// Update changes the model by a message.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 {
			m.width, m.height = msg.Width, msg.Height
		}
	case tea.BackgroundColorMsg:
		m.styles = stylesFor(msg.IsDark())
	case tea.KeyPressMsg:
		return m, m.key(msg)
	case batch:
		cmds := []tea.Cmd{m.stream.read}
		for _, it := range msg {
			if cmd := m.take(it); cmd != nil {
				cmds = append(cmds, cmd)
			}
		}
		return m, tea.Batch(cmds...)
	case secondMsg:
		m.catchUp()
		return m, second()
	case spinMsg:
		if m.busy != nil {
			m.frame++
			return m, m.spin()
		}
	case typeMsg:
		return m, m.typeOn(msg.of)
	}
	return m, nil
}

// catchUp goes to the session's position after another client, such as the presenter's browser, has changed it.
func (m *model) catchUp() {
	if pos := m.session.Position(); m.busy == nil && m.failed == nil && m.mode == showing && pos != m.pos {
		for i := range m.pages {
			if i >= pos {
				m.pages[i] = page{}
			} else if i >= m.pos {
				m.pages[i] = page{skipped: true}
			}
		}
		m.pos = pos
		m.show(pos)
	}
}

func second() tea.Cmd {
	return tea.Tick(time.Second, func(time.Time) tea.Msg { return secondMsg{} })
}

func (m *model) spin() tea.Cmd {
	return tea.Tick(spinEvery, func(time.Time) tea.Msg { return spinMsg{} })
}

// take takes in one thing that the session has said.
func (m *model) take(it item) tea.Cmd {
	if it.done {
		return m.done(it.err)
	}
	ev := it.event
	if ev.Kind == walk.Note {
		m.note = ev.Text
		return nil
	}
	if m.busy.quiet() || ev.Step.Number == 0 {
		m.busy.take(ev)
		return nil
	}
	m.busy.running = true
	i := ev.Step.Number - 1
	if m.at != i {
		m.show(i)
	}
	m.follow = m.follow || ev.Kind == walk.StepStart
	e := m.pages[i].apply(ev, m.now())
	if e == nil || it.resume == nil {
		return nil
	}
	e.hidden = true
	m.typing = &typing{entry: e, resume: it.resume}
	return m.typeNext()
}

// take keeps what a quiet job is at.
func (j *job) take(ev walk.Event) {
	switch ev.Kind {
	case walk.StepStart:
		j.what, j.waiting = ev.Step.Title, ""
	case walk.BlockStart:
		j.what = ev.Step.Title
		if ev.Block.Label != "" {
			j.what = ev.Block.Label
		}
	case walk.Waiting:
		j.waiting = clean(ev.Text)
	}
}

// typeNext waits until a hand would have found the next key.
func (m *model) typeNext() tea.Cmd {
	t := m.typing
	text := t.entry.command.Text
	pace := min(time.Second/time.Duration(m.options.Speed), typeAtMost/time.Duration(utf8.RuneCountInString(text)+1))
	// No hand types evenly: it waits a little after a word, and some keys are farther away.
	switch at := min(t.entry.shown, len(text)-1); {
	case text[at] == ' ' || text[at] == '\n':
		pace = pace * 3 / 2
	case text[at]%3 == 0:
		pace = pace * 2 / 3
	}
	return tea.Tick(pace, func(time.Time) tea.Msg { return typeMsg{of: t} })
}

// typeOn types one more character.
func (m *model) typeOn(t *typing) tea.Cmd {
	if m.typing != t {
		return nil // it was typed to its end at once, or the step was stopped
	}
	t.entry.shown++
	if t.entry.shown >= utf8.RuneCountInString(t.entry.command.Text) {
		m.typed()
		return nil
	}
	return m.typeNext()
}

// typed shows all of the command that was being typed, and lets it run.
func (m *model) typed() {
	t := m.typing
	m.typing = nil
	t.entry.hidden = false
	t.entry.since = m.now()
	close(t.resume)
}
