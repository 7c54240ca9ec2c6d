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
	// Contains reports whether the branch has a commit that Head returned, at its head or before.
	Contains(ctx context.Context, commit string) (bool, error)
	// States returns why each object that follows the branch in the cluster is not ready, by its name; "" for one that is.
	States(ctx context.Context) (map[string]string, error)
	// Move moves the branch to a commit that Head returned, by force.
	Move(ctx context.Context, commit string) error
	// Await waits until the cluster has the commit. It does not wait for what was not ready before, as States returned it
	// then; nil waits for all.
	Await(ctx context.Context, commit string, before map[string]string) error
}

// moveTo moves the fleet to a commit, and reports whether it was elsewhere.
func (s *Session) moveTo(ctx context.Context, commit string) (moved bool, err error) {
	if s.o.Git == nil || commit == "" {
		return false, nil
	}
	head, err := s.o.Git.Head(ctx)
	if err == nil && head != commit {
		moved, err = true, s.o.Git.Move(ctx, commit)
	}
	if err != nil {
		return false, fmt.Errorf("restoring the fleet to the commit before the step: %w", err)
	}
	return moved, nil
}

// warn says what was not ready when the step at Position began, unless it was the same at the step before.
func (s *Session) warn(ev Events) {
	now, before := s.p.Begun.broken(), ""
	if n := len(s.p.Done); n > 0 {
		before = s.p.Done[n-1].broken()
	}
	if ev != nil && now != "" && now != before {
		ev(Event{Kind: Note, Step: &s.Walk().Steps[s.Position()], Text: "Not ready before this step, so Back will not wait for it: " + now})
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
