package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/interp"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// failure says what went wrong, and what can be done.
func (m *model) failure(limit int) []string {
	f := m.failed
	var out []string
	if f.step == nil {
		if f.stopped && errors.Is(f.err, context.Canceled) {
			return []string{m.styles.warn.Render(signBad + " Stopped.")}
		}
		for _, l := range strings.Split(f.err.Error(), "\n") {
			out = append(out, wrap(clean(l), m.content()-nest, 0)...)
		}
		return m.diagnosis(out)
	}
	if !m.onPage(f.step) {
		out = append(out, m.typedLines(m.shellLines(f.step.Command.Text), false)...)
		written := &output{}
		if e := m.crossed(); e != nil {
			written = &e.output // of the check's earlier commands too
		} else {
			written.write(strings.TrimRight(f.step.Output, "\n"))
		}
		out = append(out, m.output(written, limit)...)
	}
	out = append(out, m.diagnosis(wrap(reason(f), m.content()-nest, 0))...)
	position := fmt.Sprintf("%s, line %d", f.step.File, f.step.Command.Line)
	for _, l := range wrap(position, m.content()-nest, nest) {
		out = append(out, strings.Repeat(" ", nest)+m.styles.soft.Render(l))
	}
	if f.step.Objects == "" {
		return out
	}
	out = append(gap(out), m.styles.strong.Render("Not ready in the cluster:"))
	for _, l := range strings.Split(strings.TrimRight(f.step.Objects, "\n"), "\n") {
		for _, part := range wrap(clean(l), m.content()-nest, leading(l)+nest) {
			out = append(out, strings.TrimRight(strings.Repeat(" ", nest)+part, " "))
		}
	}
	return out
}

// onPage reports whether the page shows the command that failed, with its output.
func (m *model) onPage(e *walk.StepError) bool {
	if m.at < 0 || m.at >= len(m.pages) {
		return false
	}
	for _, en := range m.pages[m.at].entries {
		if en.command != nil && en.command == e.Command {
			return true
		}
	}
	return false
}

// diagnosis writes the reason of a failure.
func (m *model) diagnosis(lines []string) []string {
	out := make([]string, 0, len(lines))
	for i, l := range lines {
		sign := "  "
		if i == 0 && m.crossed() == nil {
			sign = m.styles.bad.Render(signBad) + " "
		}
		out = append(out, sign+m.styles.bad.Render(l))
	}
	return out
}

// crossed returns the check that has failed on this page; nil when there is none.
func (m *model) crossed() *entry {
	if !m.ran() {
		return nil
	}
	all := m.pages[m.at].entries
	if e := all[len(all)-1]; e.check() && e.status == failed {
		return e
	}
	return nil
}

// reason says in words why a command failed.
func reason(f *failure) string {
	e := f.step
	took := took(f.took)
	var status interp.ExitStatus
	text := ""
	switch {
	case errors.Is(e.Err, context.Canceled):
		return "Stopped after " + took
	case e.Timeout > 0:
		text = "Not done after " + clock(e.Timeout)
	case errors.Is(e.Err, interp.ExitStatus(127)):
		text = "Command not found (exit status 127)"
	case errors.As(e.Err, &status):
		text = fmt.Sprintf("Exit status %d after %s", status, took)
	default:
		text = fmt.Sprintf("%v, after %s", e.Err, took)
	}
	return text
}
