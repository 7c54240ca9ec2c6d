package tui

import (
	"fmt"
	"strconv"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// key does what a key asks for.
func (m *model) key(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.String()
	m.note = ""
	switch m.mode {
	case helping:
		m.mode = telling
		if key == "ctrl+c" {
			return m.interrupt()
		}
		return nil
	case asking:
		return m.askKey(key)
	case leaving:
		m.mode = telling
		if key == "q" || key == "y" || key == "ctrl+c" {
			return tea.Quit
		}
		return nil
	}
	switch key {
	case "?", "h", "f1":
		m.mode = helping
	case "o":
		m.full = !m.full
		m.follow = m.ran() || m.failed != nil
		m.top = 0
	case "up", "down", "home", "end":
		m.scroll(key)
	case "ctrl+c":
		return m.interrupt()
	case "q":
		if m.busy == nil {
			return tea.Quit
		}
		m.mode = leaving
	default:
		if m.busy != nil {
			return m.busyKey(key)
		}
		return m.stepKey(key)
	}
	return nil
}

// interrupt stops what the session does, or the show when it does nothing.
func (m *model) interrupt() tea.Cmd {
	if m.busy == nil {
		return tea.Quit
	}
	m.busy.stopped = true
	m.busy.cancel()
	return nil
}

// busyKey is a key while the session works: there is nothing to do but to be quick.
func (m *model) busyKey(key string) tea.Cmd {
	switch key {
	case "enter", "space", "right", "pgdown":
		if m.typing != nil {
			m.typed()
		}
	default:
		m.note = "Not now: this is still running. Ctrl-C stops it."
	}
	return nil
}

// stepKey is a key that moves the walk.
func (m *model) stepKey(key string) tea.Cmd {
	switch key {
	case "enter", "space", "right", "pgdown":
		return m.forward(key)
	case "b", "left", "pgup":
		return m.backward()
	case "r":
		switch {
		case m.failed != nil:
			return m.retry()
		case m.pos > 0:
			m.tell()
			m.pages[m.pos-1] = page{}
			m.show(m.pos - 1)
			return m.start(again, 0)
		}
	case "s":
		if m.pos < len(m.pages) {
			m.tell()
			m.show(m.pos)
			return m.start(skip, 0)
		}
	case "n":
		if m.failed != nil {
			return m.goOn()
		}
	case "g":
		m.mode, m.number = asking, ""
	}
	return nil
}

// forward turns to the next page, or runs the step of this one.
func (m *model) forward(key string) tea.Cmd {
	switch {
	case m.failed != nil:
		return m.retry()
	case m.at == len(m.pages):
		// Only Enter ends the show: a clicker is too easily pressed once too often.
		if key == "enter" {
			return m.start(end, 0)
		}
	case m.at < m.pos || m.at == intro:
		m.tell()
		m.show(min(m.at+1, m.pos))
	default:
		m.follow = true
		return m.start(next, 0)
	}
	return nil
}

// backward turns to the last page, or takes its step back when it is shown already. It undoes one key of forward.
func (m *model) backward() tea.Cmd {
	switch {
	case m.failed != nil && m.failed.action == begin:
	case m.failed != nil:
		return m.start(back, 0)
	case m.at == intro:
	case m.at < m.pos:
		return m.start(back, 0)
	case m.at > 0 || m.pos == 0:
		m.show(m.at - 1)
	}
	return nil
}

// retry does once more what has failed.
func (m *model) retry() tea.Cmd {
	f := m.failed
	if m.ran() {
		m.pages[m.at] = page{}
	}
	if f.action == again && f.step != nil && f.step.Step.Number-1 == m.pos {
		return m.start(next, 0) // the way back has worked
	}
	return m.start(f.action, f.number)
}

// goOn leaves a failure behind.
func (m *model) goOn() tea.Cmd {
	was := m.failed.action
	m.failed = nil
	switch was {
	case end:
		return tea.Quit
	case next, again, skip:
		if m.pos < len(m.pages) {
			if err := m.session.Do(m.ctx, walk.Command{Action: walk.ActionSkip}, nil); err != nil {
				m.note = err.Error()
			}
			m.pos = m.session.Position()
		}
	}
	if was != begin {
		m.show(m.pos)
	}
	return nil
}

// askKey is a key while a step's number is typed.
func (m *model) askKey(key string) tea.Cmd {
	switch {
	case len(key) == 1 && key >= "0" && key <= "9":
		if len(m.number) < 3 {
			m.number += key
		}
		return nil
	case key == "backspace" && m.number != "":
		m.number = m.number[:len(m.number)-1]
		return nil
	}
	m.mode = telling
	if key != "enter" || m.number == "" {
		return nil
	}
	n, err := strconv.Atoi(m.number)
	if err != nil || n < 1 || n > len(m.pages) {
		m.note = fmt.Sprintf("There is no step %s: there are 1 to %d.", m.number, len(m.pages))
		return nil
	}
	m.tell()
	return m.start(goTo, n-1)
}

// tell starts the clock: the time of a talk runs from its first key.
func (m *model) tell() {
	if m.started.IsZero() {
		m.started = m.now()
	}
}

// scroll moves over a page that is longer than the screen.
func (m *model) scroll(key string) {
	last := m.lastTop()
	if m.follow {
		m.top = last
	}
	switch key {
	case "up":
		m.top--
	case "down":
		m.top++
	case "home":
		m.top = 0
	case "end":
		m.top = last
	}
	m.top = max(min(m.top, last), 0)
	m.follow = m.top == last && (m.ran() || m.failed != nil)
}
