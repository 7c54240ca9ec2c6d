package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// The signs of a check's state, each of one column.
const (
	signGood = "✓"
	signBad  = "✗"
	prompt   = "$ "
	cursor   = "▌"
)

// nest is how far what belongs to a command or check is indented.
const nest = 2

// leastOutput is how many lines of output are shown at least.
const leastOutput = 3

// body returns all lines of the page, however many. room is how many of them fit on the screen: output is cut so far
// that what was typed last, what came of it and what is to be done about it are seen together.
func (m *model) body(room int) []string {
	if m.mode == helping {
		return m.help()
	}
	if m.full {
		lines, _ := m.page(keepLines + 1)
		return lines
	}
	for limit := max(room, leastOutput); ; {
		lines, last := m.page(limit)
		over := len(lines) - last - room
		if over <= 0 || limit == leastOutput {
			return lines
		}
		limit = max(limit-over, leastOutput)
	}
}

// page returns the lines of the page with at most limit lines of each command's output, and where the last thing on
// it begins.
func (m *model) page(limit int) (lines []string, last int) {
	switch {
	case m.at == intro:
		lines = m.intro()
		last = len(lines)
	case m.at == len(m.pages):
		lines = m.ending()
		last = len(lines)
	default:
		lines, last = m.step(limit)
	}
	if m.busy != nil && (m.busy.quiet() || m.busy.tidies()) {
		lines = append(gap(lines), m.job()...)
	}
	if m.failed != nil {
		lines = append(gap(lines), m.failure(limit)...)
	}
	return lines, last
}

// gap adds an empty line, unless there is nothing or one there.
func gap(lines []string) []string {
	if len(lines) == 0 || lines[len(lines)-1] == "" {
		return lines
	}
	return append(lines, "")
}

// intro is the page before the first step.
func (m *model) intro() []string {
	var out []string
	for i := range m.walk.Intro {
		out = append(gap(out), m.narration(&m.walk.Intro[i])...)
	}
	if m.busy == nil && m.failed == nil {
		out = append(gap(out), m.styles.good.Render(signGood)+" Ready.")
		if m.options.Note != "" {
			out = append(out, m.styles.soft.Render("  "+m.options.Note))
		}
	}
	return out
}

// ending is the page after the last step.
func (m *model) ending() []string {
	out := []string{m.styles.good.Render(signGood + " " + m.summary() + "."), ""}
	if m.walk.Cleanup != nil {
		out = append(out, "Enter removes what the walk has created.")
	}
	return append(out, "q keeps everything, so that you can look around.")
}

// summary says how many steps the walk had, and how long it took.
func (m *model) summary() string {
	text := count(len(m.pages), "step") + " done"
	if !m.started.IsZero() {
		text += " in " + clock(m.spentSoFar())
	}
	return text
}

// step is the page of a step: what is said, then what was typed and checked so far. last is where the last command
// begins, or the check that has failed.
func (m *model) step(limit int) (out []string, last int) {
	step, page := &m.walk.Steps[m.at], &m.pages[m.at]
	for i := range step.Blocks {
		out = append(gap(out), m.narration(&step.Blocks[i])...)
	}
	out = gap(out)
	for i, e := range page.entries {
		if i > 0 {
			before := page.entries[i-1]
			if e.check() != before.check() || m.roomy() && len(before.output.all()) > 0 {
				out = gap(out)
			}
		}
		if !e.check() || e.status == failed {
			last = len(out)
		}
		if e.check() {
			out = append(out, m.check(e)...)
		} else {
			out = append(out, m.command(e, limit)...)
		}
	}
	switch {
	case m.failed != nil, m.busy != nil, len(page.entries) > 0:
	case page.skipped || m.at < m.pos:
		out = append(out, m.styles.good.Render(signGood)+" Done.")
	default:
		out = append(out, m.styles.accent.Render(prompt+cursor))
	}
	return out, last
}

// narration is what is said in a block; nothing for blocks of other kinds.
func (m *model) narration(b *walk.Block) []string {
	var out []string
	switch b.Role {
	case walk.Prose:
		for _, p := range b.Paragraphs() {
			if p.Bullet == "" {
				out = gap(out)
			}
			out = append(out, m.paragraph(p)...)
		}
	case walk.Listing:
		for _, l := range strings.Split(strings.TrimRight(b.Text, "\n"), "\n") {
			l = clean(l)
			for _, part := range wrap(l, m.content()-nest, leading(l)+nest) {
				out = append(out, strings.Repeat(" ", nest)+m.styles.soft.Render(part))
			}
		}
	}
	return out
}

// paragraph wraps a paragraph, and makes what is in backquotes stand out.
func (m *model) paragraph(p walk.Paragraph) []string {
	var out []string
	code := false
	for _, l := range wrap(p.Bullet+p.Text, m.prose(), len(p.Bullet)) {
		var b strings.Builder
		for i, part := range strings.Split(l, "`") {
			if i > 0 {
				b.WriteByte('`')
				code = !code
			}
			if code && part != "" {
				part = m.styles.strong.Render(part)
			}
			b.WriteString(part)
		}
		out = append(out, b.String())
	}
	return out
}

// job is what the session does without showing it.
func (m *model) job() []string {
	names := map[walk.Action]string{
		walk.ActionBegin: "Preparing", walk.ActionEnd: "Cleaning up",
		walk.ActionBack: "Undoing the step", walk.ActionAgain: "Undoing the step first",
		walk.ActionNext: "Undoing the last try",
		walk.ActionRun:  "Running the step without output", walk.ActionSkip: "Skipping the step",
		walk.ActionGoTo: fmt.Sprintf("Going to step %d", m.busy.command.Step+1),
	}
	what := m.busy.what
	if m.busy.waiting != "" {
		what += ": " + m.busy.waiting
	}
	out := m.line(m.styles.accent.Render(m.spinner()), names[m.busy.command.Action], clock(m.now().Sub(m.busy.since)))
	return append(out, m.waiting(what)...)
}

// spentSoFar is how long the walk has been running.
func (m *model) spentSoFar() time.Duration {
	if m.started.IsZero() {
		return 0
	}
	return m.now().Sub(m.started)
}
