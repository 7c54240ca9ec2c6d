// Package walktest holds what the tests of the engine for walks and of its
// faces share: short walks, and waits with a deadline.
package walktest

import (
	"context"
	"testing"
	"time"
)

// Deadline is far above what any test needs.
const Deadline = 3 * time.Minute

// Front is the front matter and the title of a walk: four lines.
const Front = "---\ntitle: A walk\n---\n# A walk\n"

// OneStep returns a walk with one step of a change, a check and an undo.
func OneStep(change, check, undo string) string {
	return Front + "## One\n```sh timeout=300ms\n" + change + "\n```\n```sh check timeout=20s\n" + check + "\n```\n```sh undo\n" + undo + "\n```\n"
}

// Context returns a context that ends with the test, or after Deadline.
func Context(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	t.Cleanup(cancel)
	return ctx
}

// Await waits until ok returns true. It fails the test after Deadline.
func Await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := Context(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
