package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/screen"
)

// View draws the screen.
func (m *model) View() tea.View {
	return screen.View(m.screen())
}

// roomy reports whether there is space for more air between the parts.
func (m *model) roomy() bool { return m.height >= 30 }

// widest is how wide the text is at most: beyond, the eyes have too far to go from a check to its time.
const widest = 128

// margin is what stays free at the left and the right.
func (m *model) margin() int {
	switch {
	case m.width >= 100:
		return max(6, (m.width-widest)/2)
	case m.width >= 60:
		return 2
	}
	return 0
}

// content is how wide the text may be.
func (m *model) content() int { return max(m.width-2*m.margin(), 1) }

// prose is how wide narration is: eyes lose the line in longer ones.
func (m *model) prose() int { return min(m.content(), 80) }

// screen returns exactly height lines, none wider than width.
func (m *model) screen() []string {
	head, foot := m.header(), m.footer()
	room := m.room(head, foot)
	lines := m.body(room)
	top := m.top
	if m.follow || top > len(lines)-room {
		top = max(len(lines)-room, 0)
	}
	above, below := top, max(len(lines)-top-room, 0)
	lines = lines[top:min(top+room, len(lines))]

	out := append(head, m.more("↑", above))
	out = append(out, lines...)
	for range room - len(lines) {
		out = append(out, "")
	}
	out = append(out, m.more("↓", below))
	out = append(out, foot...)
	if over := len(out) - m.height; over > 0 { // a tiny terminal: the footer says what can be done
		out = out[over:]
	}
	pad := strings.Repeat(" ", m.margin())
	for i, l := range out {
		if l != "" {
			l = pad + l
		}
		out[i] = ansi.Truncate(l, m.width, "")
	}
	return out
}

// room is how many lines of the page fit: all but the header, the footer, and a line before and after the page.
func (m *model) room(head, foot []string) int { return max(m.height-len(head)-len(foot)-2, 0) }

// lastTop is the first line of the page when its end is shown.
func (m *model) lastTop() int {
	room := m.room(m.header(), m.footer())
	return max(len(m.body(room))-room, 0)
}

// more is the line between the page and its neighbours; it says how much of the page is not on the screen.
func (m *model) more(arrow string, n int) string {
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("%s %s", arrow, count(n, "more line"))
	return strings.Repeat(" ", max(m.content()-ansi.StringWidth(text), 0)) + m.styles.soft.Render(text)
}

// header says which walk this is, how far it is, and what the time is.
func (m *model) header() []string {
	var out []string
	if m.roomy() {
		out = append(out, "")
	}
	width := m.content()
	where := fmt.Sprintf("step %d of %d", m.at+1, len(m.pages))
	switch m.at {
	case intro:
		where = count(len(m.pages), "step")
	case len(m.pages):
		where = "the end"
	}
	title := wrap(m.walk.Title, max(width-len(where)-2, width/2), 0)
	for i, l := range title {
		if i == 0 {
			l = spread(m.styles.strong.Render(l), m.styles.soft.Render(where), width)
		}
		out = append(out, l)
	}
	time, late := m.time()
	bar := m.bar(max(width-ansi.StringWidth(time)-2, 0))
	style := m.styles.soft
	if late {
		style = m.styles.warn
	}
	out = append(out, spread(bar, style.Render(time), width), "")
	if m.at >= 0 && m.at < len(m.pages) {
		if m.roomy() {
			out = append(out, "")
		}
		for _, l := range wrap(m.walk.Steps[m.at].Title, width, 0) {
			out = append(out, m.styles.title.Render(l))
		}
	}
	return out
}

// time returns how long the walk has run, and whether that is longer than allotted.
func (m *model) time() (text string, late bool) {
	spent := m.spentSoFar()
	all := m.options.Allotted
	switch {
	case all <= 0:
		return clock(spent), false
	case spent > all:
		return fmt.Sprintf("%s of %s, %s over", clock(spent), clock(all), clock(spent-all)), true
	}
	return fmt.Sprintf("%s of %s", clock(spent), clock(all)), false
}

// bar draws the steps that are done, and where they should be by the time.
func (m *model) bar(width int) string {
	done := width * m.pos / len(m.pages)
	mark := -1
	if !m.started.IsZero() && m.options.Allotted > 0 {
		mark = min(int(int64(width)*int64(m.spentSoFar())/int64(m.options.Allotted)), width-1)
	}
	var b strings.Builder
	for i := range width {
		switch {
		case i == mark && i < done:
			b.WriteString(m.styles.accent.Render("╋"))
		case i == mark:
			b.WriteString(m.styles.soft.Render("┼"))
		case i < done:
			b.WriteString(m.styles.accent.Render("━"))
		default:
			b.WriteString(m.styles.soft.Render("─"))
		}
	}
	return b.String()
}

// keyHint is one key of the footer.
type keyHint struct{ key, what string }

// footer says what the keys do now, as many as fit on one line, or asks what has to be answered first.
func (m *model) footer() []string {
	var line string
	switch {
	case m.mode == helping:
		line = m.hints(keyHint{"any key", "back to the walk"})
	case m.mode == leaving:
		line = m.styles.warn.Render("Stop it and quit?") + "  " + m.hints(keyHint{"q", "quit"}, keyHint{"any other key", "stay"})
	case m.mode == asking:
		line = m.styles.strong.Render(fmt.Sprintf("Go to step (1 to %d): %s▏", len(m.pages), m.number)) + "  " +
			m.hints(keyHint{"Enter", "go"}, keyHint{"Esc", "stay"})
	case m.note != "":
		var lines []string
		for _, l := range wrap(m.note, m.content(), 0) {
			lines = append(lines, m.styles.warn.Render(l))
		}
		line = strings.Join(lines, "\n")
	default:
		line = m.hints(m.keys()...)
	}
	lines := strings.Split(line, "\n")
	if m.roomy() {
		lines = append(lines, "")
	}
	return lines
}

// keys are the keys that do something now, the important ones first.
func (m *model) keys() []keyHint {
	help, quit := keyHint{"?", "help"}, keyHint{"q", "quit"}
	switch {
	case m.typing != nil:
		return []keyHint{{"Enter", "type it at once"}, {"Ctrl-C", "stop"}, help, quit}
	case m.busy != nil:
		return []keyHint{{"Ctrl-C", "stop"}, {"o", m.outputHint()}, help, quit}
	case m.failed != nil:
		hints := []keyHint{{"r", "try again"}, {"b", "back"}, {"n", "go on"}, {"o", m.outputHint()}, help, quit}
		if m.failed.command.Action == walk.ActionBegin {
			return append(hints[:1:1], hints[2:]...)
		}
		return hints
	}
	var hints []keyHint
	switch {
	case m.at == len(m.pages):
		hints = append(hints, keyHint{"Enter", "clean up and quit"}, keyHint{"b", "back"})
	case m.at == intro:
		hints = append(hints, keyHint{"Enter", "start"})
	case m.at < m.pos:
		hints = append(hints, keyHint{"Enter", "next step"}, keyHint{"b", "undo"}, keyHint{"r", "again"})
	default:
		hints = append(hints, keyHint{"Enter", "run"}, keyHint{"b", "back"}, keyHint{"s", "skip"})
	}
	if m.ran() {
		hints = append(hints, keyHint{"o", m.outputHint()})
	}
	if m.at != intro {
		hints = append(hints, keyHint{"g", "go to"})
	}
	return append(hints, help, quit)
}

func (m *model) outputHint() string {
	if m.full {
		return "less"
	}
	return "output"
}

// hints writes keys in a line, and leaves out from the end before help and quit what does not fit.
func (m *model) hints(hints ...keyHint) string {
	for {
		var parts []string
		for _, h := range hints {
			parts = append(parts, m.styles.strong.Render(h.key)+" "+m.styles.soft.Render(h.what))
		}
		line := strings.Join(parts, "   ")
		if ansi.StringWidth(line) <= m.content() || len(hints) < 2 {
			return line
		}
		cut := max(len(hints)-3, 0)
		hints = append(hints[:cut:cut], hints[cut+1:]...)
	}
}
