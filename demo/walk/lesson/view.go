package lesson

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/screen"
)

// columns is how wide a text is at most: longer lines are hard to read.
const columns = 72

// bottom is a line below the end of each page: View stops at the last one.
const bottom = 1 << 20

// looks of what is on the screen. Each meaning also has a sign, so that nothing is lost without colours.
type looks struct{ title, strong, soft, good, bad lipgloss.Style }

func newLooks(dark bool) looks {
	pick, s := lipgloss.LightDark(dark), lipgloss.NewStyle()
	return looks{
		title:  s.Bold(true).Foreground(pick(lipgloss.Color("#0B4FB3"), lipgloss.Color("#82B5FF"))),
		strong: s.Bold(true),
		soft:   s.Foreground(pick(lipgloss.Color("#505050"), lipgloss.Color("#B4B4B4"))),
		good:   s.Bold(true).Foreground(pick(lipgloss.Color("#0F6B2E"), lipgloss.Color("#74D391"))),
		bad:    s.Bold(true).Foreground(pick(lipgloss.Color("#A31515"), lipgloss.Color("#FF8F85"))),
	}
}

// View draws the screen: the progress, the step, and the keys.
func (m *model) View() tea.View {
	look := newLooks(m.dark)
	width := min(m.width, columns)
	head := m.head(look, width)
	foot := m.foot(look, width)
	room := max(m.height-len(head)-len(foot), 1)
	body := m.body(look, width)
	m.top = max(min(m.top, len(body)-room), 0)
	body = body[m.top:]
	if len(body) > room {
		body = body[:room]
		foot[0] = look.soft.Render("↓ more")
	}
	for len(body) < room {
		body = append(body, "")
	}
	return screen.View(append(append(head, body...), foot...))
}

// head is the walk's title and how far the learner has come.
func (m *model) head(look looks, width int) []string {
	total := len(m.walk.Steps)
	bar := strings.Repeat("●", min(m.at, total)) + strings.Repeat("○", max(total-m.at, 0))
	title := ansi.Truncate(m.walk.Title, max(width-ansi.StringWidth(bar)-2, 10), "…")
	gap := max(width-ansi.StringWidth(title)-ansi.StringWidth(bar), 2)
	return []string{look.soft.Render(title) + strings.Repeat(" ", gap) + look.title.Render(bar), ""}
}

// foot is what happens and which keys there are.
func (m *model) foot(look looks, width int) []string {
	line := ""
	switch {
	case m.cancel != nil && m.label != "":
		line = "… " + m.label
		if took := time.Since(m.busy); took > 3*time.Second {
			line += "  " + walk.Seconds(took.Round(time.Second))
		}
		if m.detail != "" {
			line += ": " + m.detail
		}
	case m.note != "":
		line = m.note
	}
	return []string{"", look.soft.Render(ansi.Truncate(line, width, "…")), ansi.Truncate(m.keys(look), width, "…")}
}

func (m *model) keys(look looks) string {
	key := func(key, what string) string { return look.strong.Render(key) + " " + look.soft.Render(what) }
	var all []string
	switch {
	case !m.begun:
	case m.at == len(m.walk.Steps):
		all = []string{key("Enter", "clean up"), key("b", "back")}
	case m.learnt:
		all = []string{key("Enter", "go on"), key("b", "back")}
	case m.looks():
		all = []string{key("Enter", "go on"), key("s", "show what it prints"), key("b", "back")}
		if len(m.walk.Steps[m.at].Hints()) > 0 {
			all = slices.Insert(all, 1, key("h", "hint"))
		}
	default:
		all = []string{key("h", "hint"), key("c", "check"), key("s", "solve"), key("r", "reset"), key("b", "back")}
	}
	return strings.Join(append(all, key("q", "quit")), look.soft.Render(" · "))
}

// body is the page of the step.
func (m *model) body(look looks, width int) []string {
	var out []string
	text := func(indent, text string, style lipgloss.Style) {
		for _, line := range wrap(text, width-len(indent)) {
			out = append(out, indent+style.Render(line))
		}
	}
	plain := lipgloss.NewStyle()
	if m.failed != nil {
		for i, line := range strings.Split(m.failed.Error(), "\n") {
			if style := look.soft; i == 0 {
				text("", line, look.bad)
			} else {
				text("  ", line, style)
			}
		}
		out = append(out, "")
	}
	switch {
	case !m.begun:
		text("", "The walk is being prepared. It resets the fleet, and waits until Flux has applied it.", plain)
		return out
	case m.at == len(m.walk.Steps):
		text("", fmt.Sprintf("All %d steps are done.", m.at), look.good)
		out = append(out, "")
		text("", "Enter removes what the walk has made in the cluster, and resets the fleet. Your own clone stays.", plain)
		return out
	}
	step := &m.walk.Steps[m.at]
	out = append(out, look.title.Render(fmt.Sprintf("%d  %s", step.Number, step.Title)), "")
	tasks := step.Task()
	if len(tasks) == 0 {
		tasks = step.With(walk.Prose)
	}
	for i := range tasks {
		for _, p := range tasks[i].Paragraphs() {
			text("", p.Bullet+p.Text, plain)
		}
	}
	if m.at == 0 && len(m.options.Prelude) > 0 {
		out = append(out, "")
		text("", "In another terminal, type this first:", look.soft)
		for _, line := range m.options.Prelude {
			out = append(out, "  "+look.strong.Render(line))
		}
	}
	if m.looks() {
		out = append(out, "")
		text("", "Type, and look:", look.soft)
		out = append(out, commands(step.With(walk.Look), look)...)
	}
	out = append(out, "")
	out = append(out, m.states(look, width)...)
	if levels := step.Hints(); m.hints > 0 && !m.learnt {
		for n := range min(m.hints, len(levels)) {
			out = append(out, "", look.soft.Render(fmt.Sprintf("Hint %d of %d", n+1, len(levels))))
			for i := range levels[n] {
				if b := &levels[n][i]; b.Role == walk.Hint {
					text("  ", b.Text, plain)
				} else {
					out = append(out, toPaste(b, look)...)
				}
			}
		}
	}
	if m.learnt {
		out = append(out, "")
		for _, b := range step.Why() {
			for _, p := range b.Paragraphs() {
				text("", p.Text, plain)
			}
		}
		if m.printed != "" {
			out = append(out, "", look.soft.Render("The commands printed:"))
			for line := range strings.Lines(m.printed) {
				line = plaintext.Line(plaintext.Last(strings.TrimRight(line, "\n")))
				out = append(out, ansi.Truncate("  "+line, max(m.width, 1), "…"))
			}
		}
	}
	return out
}

// wrap breaks a text between its words. Options such as --name stay whole, to be copied.
func wrap(text string, width int) []string {
	const hyphen = "\u2011" // one at which Wordwrap does not break
	text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "-", hyphen)
	return strings.Split(strings.ReplaceAll(ansi.Wordwrap(text, width, ""), hyphen, "-"), "\n")
}

// commands are what to type.
func commands(blocks []walk.Block, look looks) []string {
	var out []string
	for _, b := range blocks {
		for _, c := range b.Commands {
			for i, line := range strings.Split(c.Text, "\n") {
				mark := "$ "
				if i > 0 {
					mark = "  "
				}
				out = append(out, "  "+look.soft.Render(mark)+look.strong.Render(line))
			}
		}
	}
	return out
}

// toPaste are commands as a shell takes them: a here-document that is indented does not end.
func toPaste(b *walk.Block, look looks) []string {
	out := []string{""}
	for _, c := range b.Commands {
		for line := range strings.SplitSeq(c.Text, "\n") {
			out = append(out, look.strong.Render(line))
		}
	}
	return out
}

// states are the checks, each with a sign and, if it fails, the reason.
func (m *model) states(look looks, width int) []string {
	var out []string
	for _, c := range m.checks {
		sign := look.soft.Render("○")
		switch c.state {
		case waiting:
			sign = look.title.Render("…")
		case holds:
			sign = look.good.Render("✓")
			if c.block.Always && !m.learnt {
				sign = look.soft.Render("•") // the learner has nothing to do for it
			}
		case fails:
			sign = look.bad.Render("✗")
		}
		line := sign + " " + c.block.Name()
		if c.state == waiting && m.watch {
			line += look.soft.Render("  " + walk.Seconds(time.Since(m.since)))
		}
		out = append(out, ansi.Truncate(line, width, "…"))
		if c.why != "" && c.state != holds {
			for _, l := range wrap(c.why, width-4) {
				out = append(out, "    "+look.soft.Render(l))
			}
		}
	}
	return out
}
