// Package walktest holds helpers for the tests of walk, plain, and tui: short
// walks, and waits with a deadline.
package walktest

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// Deadline is far above what any test needs.
const Deadline = 3 * time.Minute

// Front is the front matter and the title of a walk: four lines.
const Front = "---\ntitle: A walk\n---\n# A walk\n"

// Fails is a walk with a setup and a cleanup, of whose three steps the second fails.
const Fails = Front + "## Setup\n```sh\ntrue\n```\n" +
	"## One <&>\n```sh\necho '<said & done>'\n```\n```sh check label=\"it holds\"\ntrue\n```\n```sh undo\ntrue\n```\n" +
	"## Two\n```sh look\necho \"no way\"; false\n```\n```sh check\ntrue\n```\n" +
	"## Three\n```sh look\ntrue\n```\n```sh check\ntrue\n```\n## Cleanup\n```sh\ntrue\n```\n"

// OneStep returns a walk with one step of a change, a check and an undo.
func OneStep(change, check, undo string) string { return OneStepWithin("20s", change, check, undo) }

// OneStepWithin is OneStep with a deadline for the change, for example 300ms.
func OneStepWithin(timeout, change, check, undo string) string {
	return Front + "## One\n```sh timeout=" + timeout + "\n" + change + "\n```\n```sh check timeout=20s\n" + check + "\n```\n```sh undo\n" + undo + "\n```\n"
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

// Golden compares with a file in the package's testdata, and writes it when the variable UPDATE is set. Times such as
// 0.4 s do not count.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	got = regexp.MustCompile(`\d+\.\d s`).ReplaceAllString(got, "0.0 s")
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got, want)
	}
}
