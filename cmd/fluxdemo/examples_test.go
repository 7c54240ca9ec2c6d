package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// example is the path of a file in examples/.
func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExamples checks the examples without a cluster, as their readers would.
func TestExamples(t *testing.T) {
	for _, args := range [][]string{
		{"walk", "lint", example(t, "message.md")},
		{"walk", example(t, "message.md"), "--dry-run"},
		{"deck", "lint", "--strict", example(t, "talk.md")},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			var out, errOut strings.Builder
			if code := run(args, strings.NewReader(""), &out, &errOut); code != 0 {
				t.Errorf("exit code %d\n%s%s", code, out.String(), errOut.String())
			}
		})
	}
}

// TestExampleWalk runs the walk of the examples on a cluster, and looks whether it leaves the fleet as it was.
func TestExampleWalk(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	before := state(t, d)
	d.must(t, "walk", example(t, "message.md"), "--auto")
	d.must(t, "reset") // the walk's commits go, and what they have changed is back
	same(t, before, state(t, d))
}
