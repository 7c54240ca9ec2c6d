package walk

import (
	"fmt"

	"github.com/fluxdemo/fluxdemo/demo/walk/script"
)

// GuestError says that a walk needs a cluster of its own, and was opened on one that is not the demo's alone.
type GuestError struct {
	Walk *Walk
	Why  string // for example "it changes Flux's own deployment/kustomize-controller"
}

// Error implements error.
func (e *GuestError) Error() string {
	return fmt.Sprintf("the walk %s requires a cluster of its own (%s), and others use this one", e.Walk.Name, e.Why)
}

// NeedsOwnCluster says why a walk must not run on a cluster that is not the demo's alone, "" if it may: its front
// matter says so, or Lint finds a command of that kind.
func (w *Walk) NeedsOwnCluster() string {
	for _, f := range w.findings() {
		if f.Own != "" {
			return f.Own
		}
	}
	if w.OwnCluster {
		return "its front matter says so"
	}
	return ""
}

// CheckGuest returns a *GuestError if one of the walks must not run on a cluster that is not the demo's alone.
func CheckGuest(walks ...*Walk) error {
	for _, w := range walks {
		if why := w.NeedsOwnCluster(); why != "" {
			return &GuestError{w, why}
		}
	}
	return nil
}

// Lint returns commands that are valid but would do harm, each as a *SyntaxError, in the order of the file: commands
// that require `cluster: own` in the front matter, as far as their text shows that, commands that ask Git for the
// fleet's first commit, and those that do not work for learners.
func (w *Walk) Lint() []error {
	var all []error
	for _, f := range append(w.findings(), w.forLearners()...) {
		if f.Own != "" && w.OwnCluster {
			continue
		}
		msg := f.Mistake
		if f.Own != "" {
			msg = f.Own + ": such a walk requires a cluster of its own: add `cluster: own` to the front matter"
			if f.Hint != "" {
				msg += ", or " + f.Hint
			}
		}
		all = append(all, &SyntaxError{File: w.File, Line: f.Line, Col: f.Col, Msg: msg})
	}
	return all
}

// findings looks at all commands of a walk.
func (w *Walk) findings() []script.Finding { return script.Harm(w.commands()) }

// commands returns all commands that a walk runs, in the order of the file.
func (w *Walk) commands() []script.Command {
	var all []script.Command
	sections := []*Step{w.Setup}
	for i := range w.Steps {
		sections = append(sections, &w.Steps[i])
	}
	for _, section := range append(sections, w.Cleanup) {
		if section == nil {
			continue
		}
		for i := range section.Blocks {
			all = append(all, section.Blocks[i].script()...)
		}
	}
	return all
}

// script returns the block's commands as the package script reads them.
func (b *Block) script() []script.Command {
	var all []script.Command
	for _, c := range b.Commands {
		all = append(all, script.Command{Stmt: c.stmt, Line: c.Line, Col: c.Col})
	}
	return all
}
