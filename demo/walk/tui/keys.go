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
		m.mode = showing
		if key == "ctrl+c" {
			return m.interrupt()
		}
		return nil
	case asking:
		return m.askKey(key)
	case leaving:
		m.mode = showing
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
		m.note = "Still running. Ctrl-C stops it."
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
			m.startClock()
			m.pages[m.pos-1] = page{}
			m.show(m.pos - 1)
			return m.act(walk.ActionAgain)
		}
	case "s":
		if m.pos < len(m.pages) {
			m.startClock()
			m.show(m.pos)
			return m.act(walk.ActionRun)
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
			return m.act(walk.ActionEnd)
		}
	case m.at < m.pos || m.at == intro:
		m.startClock()
		m.show(min(m.at+1, m.pos))
	default:
		m.follow = true
		return m.act(walk.ActionNext)
	}
	return nil
}

// backward turns to the last page, or takes its step back when it is shown already. It undoes one key of forward.
func (m *model) backward() tea.Cmd {
	switch {
	case m.failed != nil && m.failed.command.Action == walk.ActionBegin:
	case m.failed != nil:
		return m.act(walk.ActionBack)
	case m.at == intro:
	case m.at < m.pos:
		return m.act(walk.ActionBack)
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
	if f.command.Action == walk.ActionAgain && f.step != nil && f.step.Step.Number-1 == m.pos {
		return m.act(walk.ActionNext) // the way back has worked
	}
	return m.start(f.command)
}

// goOn leaves a failure behind.
func (m *model) goOn() tea.Cmd {
	was := m.failed.command.Action
	m.failed = nil
	switch was {
	case walk.ActionEnd:
		return tea.Quit
	case walk.ActionBegin:
		return nil
	case walk.ActionNext, walk.ActionAgain, walk.ActionRun:
		if m.pos < len(m.pages) {
			return m.act(walk.ActionSkip)
		}
	}
	m.show(m.pos)
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
	m.mode = showing
	if key != "enter" || m.number == "" {
		return nil
	}
	n, err := strconv.Atoi(m.number)
	if err != nil || n < 1 || n > len(m.pages) {
		m.note = fmt.Sprintf("There is no step %s. Valid steps: 1 to %d.", m.number, len(m.pages))
		return nil
	}
	m.startClock()
	return m.start(walk.Command{Action: walk.ActionGoTo, Step: n - 1})
}

// startClock starts the clock at the first key of a talk.
func (m *model) startClock() {
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
