package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// shellLines wraps a command under its prompt.
func (m *model) shellLines(text string) []string {
	var out []string
	for _, l := range strings.Split(strings.ReplaceAll(text, "\t", "    "), "\n") {
		out = append(out, wrap(l, m.content()-len(prompt), leading(l)+nest)...)
	}
	return out
}

// typed writes a command under its prompt; the cursor stands after what is typed so far.
func (m *model) typedLines(lines []string, writing bool) []string {
	var out []string
	for i, l := range lines {
		mark := strings.Repeat(" ", len(prompt))
		if i == 0 {
			mark = m.styles.accent.Render(prompt)
		}
		l = mark + m.styles.strong.Render(l)
		if writing && i == len(lines)-1 {
			l += m.styles.accent.Render(cursor)
		}
		out = append(out, l)
	}
	return out
}

// command is a command and what it wrote.
func (m *model) command(e *entry, limit int) []string {
	lines := m.shellLines(e.command.Text)
	if e.hidden {
		return m.typedLines(reveal(lines, e.shown), true)
	}
	return append(m.typedLines(lines, false), m.output(&e.output, limit)...)
}

// output is the end of what was written, wrapped, in at most limit lines.
func (m *model) output(o *output, limit int) []string {
	var parts [][]string // from the end
	all := o.all()
	hidden, total := len(all), 0
	for hidden > 0 && total < limit {
		hidden--
		l := all[hidden]
		parts = append(parts, wrap(l, m.content()-nest, leading(l)+nest))
		total += len(parts[len(parts)-1])
	}
	slices.Reverse(parts)
	lines := slices.Concat(parts...)
	hidden += o.dropped
	if total > limit || hidden > 0 {
		lines = lines[max(total-limit+1, 0):]
		text := "… more above"
		if hidden > 0 {
			text = fmt.Sprintf("… %s above", count(hidden+1, "line"))
		}
		if !m.full {
			text += ", o shows all"
		}
		lines = append([]string{text}, lines...)
	}
	for i, l := range lines {
		if l != "" {
			lines[i] = strings.Repeat(" ", nest) + m.styles.soft.Render(l)
		}
	}
	return lines
}

// check is what is waited for, how that stands, and what the check last said.
func (m *model) check(e *entry) []string {
	sign := m.styles.accent.Render(m.spinner())
	elapsed := took(e.elapsed)
	switch e.status {
	case succeeded:
		sign = m.styles.good.Render(signGood)
	case failed:
		sign = m.styles.bad.Render(signBad)
	case underway:
		elapsed = clock(e.elapsed)
	}
	out := m.line(sign, e.block.Name(), elapsed)
	if e.status == underway {
		out = append(out, m.waiting(e.waiting)...)
	}
	return out
}

// line is a sign, a text, and a time at the right.
func (m *model) line(sign, text, elapsed string) []string {
	width := m.content()
	var out []string
	for i, l := range wrap(text, max(width-nest-len(elapsed)-2, 1), 0) {
		if i == 0 {
			out = append(out, spread(sign+" "+l, m.styles.soft.Render(elapsed), width))
			continue
		}
		out = append(out, strings.Repeat(" ", nest)+l)
	}
	return out
}

// waiting is what is still waited for, in at most two lines.
func (m *model) waiting(text string) []string {
	if text == "" {
		return nil
	}
	lines := wrap("… "+text, m.content()-nest, nest)
	if len(lines) > 2 {
		lines = append(lines[:1:1], ansi.Truncate(lines[1], m.content()-nest-1, "")+"…")
	}
	for i, l := range lines {
		lines[i] = strings.Repeat(" ", nest) + m.styles.soft.Render(l)
	}
	return lines
}

// spinner is the sign of something under way. Its pictures are in every terminal's font.
func (m *model) spinner() string {
	frames := []rune("◐◓◑◒")
	return string(frames[m.frame%len(frames)])
}
