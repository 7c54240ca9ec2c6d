package walk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Git is the demo's repository as a walk needs it: undo and reset bring it back to the commit of a step.
type Git interface {
	// Head returns the commit of the fleet's branch.
	Head(ctx context.Context) (commit string, err error)
	// States returns why each object that follows the branch in the cluster is not ready, by its name; "" for one that is.
	States(ctx context.Context) (map[string]string, error)
	// Restore moves the branch to a commit that Head returned, and waits until the cluster has it. It does not wait for
	// what was not ready before, as States has told then; nil waits for all.
	Restore(ctx context.Context, commit string, before map[string]string) error
}

// warn says what was not ready when the step at Position began, unless it was the same at the step before.
func (s *Session) warn(ev Events) {
	now, before := s.p.Begun.broken(), ""
	if n := len(s.p.Done); n > 0 {
		before = s.p.Done[n-1].broken()
	}
	if ev != nil && now != "" && now != before {
		ev(Event{Kind: Note, Step: &s.Walk().Steps[s.Position()], Text: "Not ready before this step, so Back does not wait for it: " + now})
	}
}

// broken says in one line what was not ready, and why; "" when all was well or that is not known.
func (b *before) broken() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(b.States)) {
		if why := b.States[name]; why != "" {
			all = append(all, fmt.Sprintf("%s (%s)", name, why))
		}
	}
	return strings.Join(all, ", ")
}
