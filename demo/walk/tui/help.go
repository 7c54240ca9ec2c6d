package tui

import (
	"fmt"
)

// help is the page that explains the keys.
func (m *model) help() []string {
	keys := []keyHint{
		{"Enter Space → PgDn", "next: turn the page, or run its step"},
		{"b ← PgUp", "back: turn the page back, or undo its step"},
		{"r", "again: undo the last step and run it once more"},
		{"s", "skip: run the step without showing it"},
		{"g 3 Enter", "go to step 3, forwards or backwards"},
		{"o", "all of the output, or only its end"},
		{"↑ ↓ Home End", "scroll a long page"},
		{"Ctrl-C", "stop the running step; otherwise quit"},
		{"q", "quit; the walk can resume later"},
	}
	var out []string
	for _, k := range keys {
		out = append(out, m.styles.strong.Render(fmt.Sprintf("%-18s", k.key))+"  "+k.what)
		if m.roomy() {
			out = append(out, "")
		}
	}
	out = gap(out)
	for _, l := range wrap("The bar shows the steps that are done; the cross shows the time.", m.prose(), 0) {
		out = append(out, m.styles.soft.Render(l))
	}
	if m.options.Note != "" {
		out = append(out, m.styles.soft.Render(m.options.Note))
	}
	return out
}
