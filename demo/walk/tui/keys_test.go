package tui

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// twoSteps makes the files one and two.
const twoSteps = `---
title: Two
---

# Two

## Make one

First.

` + "```sh\nmkdir one\n```\n```sh check label=\"one is there\"\ntest -d one\n```\n```sh undo\nrm -r one\n```\n" + `
## Make two

Second.

` + "```sh\nmkdir two\n```\n```sh check label=\"two is there\"\ntest -d two\n```\n```sh undo\nrm -r two\n```\n" + `
## Cleanup

` + "```sh\nrm -rf one two\n```\n"

// oneStep is a walk with a step of that change and check.
func oneStep(change, check string) string {
	return "---\ntitle: One\n---\n\n# One\n\n## Only\n\n```sh timeout=50s\n" + change + "\n```\n```sh check timeout=50s label=\"it holds\"\n" +
		check + "\n```\n```sh undo\nrm -rf it\n```\n"
}

func TestKeys(t *testing.T) {
	tests := []struct {
		name, src, keys string
		want            []string // on the screen, in this order
		files           string   // in the work folder
	}{
		{"turn the page", twoSteps, "enter", []string{"step 1 of 2", "Make one", "First.", "$ ▌", "Enter run"}, ""},
		{"run", twoSteps, "enter space", []string{"$ mkdir one", "✓ one is there", "Enter next step", "b undo"}, "one"},
		{"clicker", twoSteps, "pgdown pgdown pgdown", []string{"Make two", "$ ▌"}, "one"},
		{"back only looks", twoSteps, "enter enter enter left", []string{"Make one", "✓ one is there", "b undo"}, "one"},
		{"back again undoes", twoSteps, "enter enter enter b b", []string{"step 1 of 2", "Make one", "$ ▌"}, ""},
		{"back to the beginning", twoSteps, "enter enter pgup pgup", []string{"2 steps", "Ready.", "Enter start"}, ""},
		{"back at the beginning", twoSteps, "b", []string{"2 steps", "Ready."}, ""},
		{"forward after back", twoSteps, "enter enter enter b right right", []string{"✓ two is there"}, "one two"},
		{"again", twoSteps, "enter enter r", []string{"step 1 of 2", "$ mkdir one", "✓ one is there"}, "one"},
		{"again from the next page", twoSteps, "enter enter enter r", []string{"step 1 of 2", "✓ one is there"}, "one"},
		{"nothing to do again", twoSteps, "r", []string{"Ready."}, ""},
		{"skip", twoSteps, "s", []string{"step 2 of 2", "$ ▌"}, "one"},
		{"look at what was skipped", twoSteps, "s b", []string{"Make one", "✓ Done.", "b undo"}, "one"},
		{"skip to the end", twoSteps, "s s s", []string{"the end", "✓ 2 steps done"}, "one two"},
		{"go to", twoSteps, "g 2 enter", []string{"step 2 of 2", "$ ▌"}, "one"},
		{"go back to", twoSteps, "s s g 1 enter", []string{"step 1 of 2", "$ ▌"}, ""},
		{"go nowhere", twoSteps, "enter g 3 enter", []string{"step 1 of 2", "There is no step 3. Valid steps: 1 to 2."}, ""},
		{"correct the number", twoSteps, "g 1 backspace 2 enter", []string{"step 2 of 2"}, "one"},
		{"stay", twoSteps, "g 2 esc", []string{"Ready."}, ""},
		{"help", twoSteps, "?", []string{"undo the last step", "any key"}, ""},
		{"any key leaves the help", twoSteps, "enter ? enter", []string{"Make one", "$ ▌"}, ""},
		{"a clicker does not end it", twoSteps, "s s pgdown pgdown", []string{"the end", "Enter clean up"}, "one two"},
		{"back from the end", twoSteps, "s enter enter b b", []string{"step 2 of 2", "$ ▌"}, "one"},

		{"failed", oneStep("mkdir it\necho bad news >&2\nls no-such-file", "true"), "enter enter",
			[]string{"$ echo bad news", "bad news", "$ ls no-such-file", "No such file", "✗ Exit status 2", "stage.md, line 12",
				"Not ready in the cluster:", "0 of 1 Pods", "r try again", "b back", "n go on"}, "it"},
		{"not found", oneStep("no-such-program", "true"), "enter enter", []string{"✗ Command not found"}, ""},
		{"failed check", oneStep("mkdir it", "echo not yet\nfalse"), "enter enter",
			[]string{"✗ it holds", "$ false", "not yet", "Exit status 1", "line 14"}, "it"},
		{"failed again", oneStep("mkdir it", "false"), "enter enter r", []string{"✗ it holds", "Exit status 1", "r try again"}, "it"},
		{"mended", oneStep("mkdir it\ntest -d mended || ! mkdir mended", "true"), "enter enter enter", []string{"✓ it holds"}, "it mended"},
		{"back after a failure", oneStep("mkdir it", "false"), "enter enter b", []string{"step 1 of 1", "$ ▌"}, ""},
		{"on after a failure", oneStep("mkdir it", "false"), "enter enter n", []string{"the end"}, "it"},
		{"a failed skip", oneStep("mkdir it", "echo quiet; false"), "s", []string{"$ false", "✗ Exit status 1", "r try again"}, "it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, 72, 20, tt.src, Options{})
			s.press(strings.Fields(tt.keys)...)
			s.sees(tt.want...)
			if got := s.files(); got != tt.files {
				t.Errorf("left %q, want %q", got, tt.files)
			}
		})
	}
}

// quits reports whether a command of a key ends the program; keys that do not have no command then.
func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, is := cmd().(tea.QuitMsg)
	return is
}

func TestQuit(t *testing.T) {
	for _, k := range []string{"q", "ctrl+c"} {
		s := newStage(t, 72, 20, twoSteps, Options{})
		if !quits(s.send(key(k))) {
			t.Errorf("%s does not quit when nothing runs", k)
		}
	}
}

const slow = "mkdir it\necho started\nsleep 49"

func (s *stage) startSlow() {
	s.Helper()
	s.press("enter")
	s.send(key("enter"))
	s.until(func() bool { return strings.Contains(s.look(), "started") && strings.Contains(s.look(), "$ sleep") })
}

func TestQuitAsksWhileAStepRuns(t *testing.T) {
	s := newStage(t, 72, 20, oneStep(slow, "true"), Options{})
	s.startSlow()
	if quits(s.send(key("q"))) {
		t.Error("quits without asking")
	}
	s.sees("Stop it and quit?")
	s.send(key("x"))
	s.sees("Ctrl-C stop")
	s.send(key("b"))
	s.sees("Still running.")
	s.send(key("q"))
	if !quits(s.send(key("q"))) {
		t.Error("the second q does not quit")
	}
}

func TestInterruptStopsTheStep(t *testing.T) {
	s := newStage(t, 72, 20, oneStep(slow, "true"), Options{})
	s.startSlow()
	s.press("ctrl+c")
	s.sees("$ sleep 49", "✗ Stopped after", "r try again")
	s.press("b")
	s.sees("step 1 of 1", "$ ▌")
	if got := s.files(); got != "" {
		t.Errorf("left %q", got)
	}
}

func TestWaiting(t *testing.T) {
	s := newStage(t, 72, 20, oneStep("true", "echo the Pod is Pending; until test -e go; do sleep 0.05; done"), Options{})
	s.press("enter")
	s.send(key("enter"))
	s.until(func() bool { return strings.Contains(s.look(), "… the Pod is Pending") })
	first := s.m.frame
	s.send(spinMsg{})
	if s.m.frame == first {
		t.Error("nothing turns while a check waits")
	}
	if err := os.WriteFile(filepath.Join(s.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.settle()
	s.sees("✓ it holds", " s\n")
	if strings.Contains(s.look(), "Pending") {
		t.Error("the screen still waits")
	}
}

func TestTyping(t *testing.T) {
	s := newStage(t, 72, 20, oneStep("mkdir it && echo made\necho second", "true"), Options{Type: true})
	s.press("enter")
	s.send(key("enter"))
	s.until(func() bool { return s.m.typing != nil })
	for range len("mkdir") {
		s.send(typeMsg{of: s.m.typing})
	}
	s.sees("$ mkdir▌", "Enter type it at once")
	if s.files() != "" {
		t.Error("the command runs before it is typed")
	}
	old := s.m.typing
	s.send(key("enter")) // at once
	s.until(func() bool { return s.m.typing != nil && s.m.typing != old })
	s.sees("$ mkdir it && echo made", "made", "$ ▌")
	s.send(typeMsg{of: old}) // a tick that is late
	s.sees("$ ▌")
	for s.m.typing != nil {
		s.send(typeMsg{of: s.m.typing})
	}
	s.settle()
	s.sees("$ echo second", "second", "✓ it holds")

	s.send(key("r"))
	s.until(func() bool { return s.m.typing != nil })
	s.press("ctrl+c")
	s.sees("$ mkdir it && echo made", "Stopped")
}

func TestSetup(t *testing.T) {
	setup := strings.Replace(oneStep("mkdir it", "true"), "## Only", "## Setup\n\n```sh\ntest -e ../ok-"+"$HOME_NAME || ! echo no luck\n```\n\n## Only", 1)
	s := newStage(t, 72, 20, setup, Options{})
	s.sees("$ test -e", "no luck", "✗ Exit status 1", "r try again", "n go on")
	if strings.Contains(s.look(), "b back") {
		t.Error("back from the setup leads nowhere")
	}
	s.press("b", "r")
	s.sees("✗ Exit status 1")
	s.press("n", "enter", "enter")
	s.sees("✓ it holds")
}

func TestTakenUp(t *testing.T) {
	s := newStage(t, 72, 20, twoSteps, Options{})
	s.press("enter", "enter")
	later := &stage{T: t, m: newModel(t.Context(), s.ses, Options{}), ses: s.ses, dir: s.dir}
	t.Cleanup(later.m.stop)
	later.m.Init()
	later.settle()
	later.sees("step 2 of 2", "Make two", "Resumed at the last position")
	later.press("b")
	later.sees("Make one", "✓ Done.")
}

func TestOtherErrors(t *testing.T) {
	s := newStage(t, 72, 20, twoSteps, Options{})
	s.m.session = noGit{s.ses}
	s.press("enter", "enter")
	s.sees("✗ the Git host does not answer", "r try again")
	s.m.session = s.ses
	s.press("r")
	s.sees("✓ one is there")
}

// TestSkipDoesNotBlock leaves a failure behind while another process holds the walk: the screen goes on.
func TestSkipDoesNotBlock(t *testing.T) {
	s := newStage(t, 72, 20, oneStep("mkdir it", "false"), Options{})
	held := heldSkip{s.ses, make(chan struct{})}
	s.m.session = held
	s.press("enter", "enter")
	s.send(key("n"))
	s.sees("Skipping the step")
	s.send(key("?"))
	s.sees("undo the last step")
	s.send(key("x"))
	close(held.free)
	s.settle()
	s.sees("the end")
}

// heldSkip is a session that skips once it is free.
type heldSkip struct {
	*walk.Session
	free chan struct{}
}

func (h heldSkip) Do(ctx context.Context, c walk.Command, ev walk.Events) error {
	if c.Action == walk.ActionSkip {
		select {
		case <-h.free:
		case <-ctx.Done():
		}
	}
	return h.Session.Do(ctx, c, ev)
}

// noGit is a session whose Git host is gone.
type noGit struct{ *walk.Session }
