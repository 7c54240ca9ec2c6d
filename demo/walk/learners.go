package walk

import (
	"slices"

	"github.com/fluxdemo/fluxdemo/demo/walk/script"
)

// given reports whether the engine, or every shell, sets a variable.
func given(name string) bool {
	return slices.Contains([]string{
		"WALK_DIR", commitVariable, fleetVariable, "FLEET_BEGINNING", "APP_URL", "INBOX_URL",
		"HOME", "PATH", "PWD", "USER", "KUBECONFIG", "IFS", "TMPDIR", "LANG",
	}, name)
}

// forLearners returns what does not work for learners, who do a step without its commands, in a folder and with a clone
// of their own.
func (w *Walk) forLearners() []script.Finding {
	var found []script.Finding
	for i := range w.Steps {
		step := &w.Steps[i]
		for _, b := range step.With(Check, Undo) {
			commands := b.script()
			if b.Role == Check || w.Clone == "" {
				found = append(found, script.Local(commands)...)
			}
			found = append(found, w.missing(commands, "it is set elsewhere, and a learner need not set it: set it in this block")...)
		}
		var actions []script.Command
		for _, b := range append(step.Actions(), step.With(Solve)...) {
			actions = append(actions, b.script()...)
		}
		found = append(found, w.missing(actions, "it is set in another step, which a learner does in another shell: set it in this step")...)
	}
	slices.SortStableFunc(found, func(a, b script.Finding) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return slices.CompactFunc(found, func(a, b script.Finding) bool { return a.Line == b.Line && a.Col == b.Col })
}

// missing returns the variables that commands read, and that only other commands of the walk set.
func (w *Walk) missing(commands []script.Command, why string) []script.Finding {
	elsewhere := script.Sets(w.commands())
	var found []script.Finding
	for _, v := range script.Reads(commands) {
		if !given(v.Name) && slices.Contains(elsewhere, v.Name) {
			found = append(found, script.Finding{Line: v.Line, Col: v.Col, Mistake: "$" + v.Name + ": " + why})
		}
	}
	return found
}
