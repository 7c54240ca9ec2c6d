package plain

import (
	"fmt"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// DryRun writes what a walk would type and wait for, from step from (counted from 0) on, and runs nothing.
func DryRun(w *walk.Walk, s *Screen, from int) {
	s.intro(w)
	for _, name := range w.Needs {
		s.line(s.dim.Render("needs " + name))
	}
	for i := from; i < len(w.Steps); i++ {
		step := &w.Steps[i]
		s.Heading(step, len(w.Steps))
		for _, b := range step.Actions() {
			if b.Role == walk.Check {
				s.line(indent + s.dim.Render(fmt.Sprintf("… %s (at most %s)", b.Name(), b.Timeout)))
				continue
			}
			for j := range b.Commands {
				s.typed(&b.Commands[j])
			}
		}
	}
}
