package walk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// TestTry looks at checks that wait long: the answer comes at once, and says what each of them lacks.
func TestTry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := SessionOptions{Runner: testOptions(dir)}
	o.Explain = func(_ context.Context, args []string) string {
		if args[0] == "sleep" {
			return "it sleeps for " + args[1]
		}
		return ""
	}
	ses := openSession(t, walktest.Front+"## One\n```sh\ntouch done\n```\n"+
		"```sh check label=\"with a comment\"\n# Nothing is done yet.\ntest -f \"$WALK_DIR/done\"\n```\n"+
		"```sh check label=\"with output\"\nsh -c 'echo what was found; test -f \"$WALK_DIR/done\"'\n```\n"+
		"```sh check label=\"holds\"\na=1\ntest \"$a\" = 1\n```\n"+
		"```sh check label=\"explained\"\ntest -f \"$WALK_DIR/done\" || sleep 100\n```\n"+
		"```sh check label=\"bare\"\ntest -f \"$WALK_DIR/done\"\n```\n"+
		"```sh check label=\"killed, with a comment\"\n# It is wrong.\ntest -f \"$WALK_DIR/done\" || tail -f /dev/null\n```\n"+
		"```sh check label=\"killed, with output\"\ntest -f \"$WALK_DIR/done\" || { echo condition met; tail -f /dev/null; }\n```\n"+
		"```sh check label=\"compared\"\n# It is not done.\ntest \"$(test -f \"$WALK_DIR/done\" && echo done || echo open)\" = done\n```\n"+
		"```sh check label=\"compared, empty\"\n[ -z \"$(test -f \"$WALK_DIR/done\" || echo something)\" ]\n```\n"+
		"```sh undo\nrm -f done\n```\n", o)
	ctx := walktest.Context(t)
	if err := ses.Do(ctx, Command{Action: ActionBegin}, nil); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	err := ses.Do(ctx, Command{Action: ActionTry}, nil)
	unmet, is := errors.AsType[*UnmetError](err)
	if !is || len(unmet.Results) != 9 {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 50*time.Second { // of 100: no judgement of how fast it is, only that it does not wait
		t.Errorf("it took %s", took)
	}
	for i, want := range []string{"Nothing is done yet.", "what was found", "", "it sleeps for 100", "failed: exit status 1", "The cluster does not answer", "The cluster does not answer",
		"It is not done. Found open, wanted done.", "Found something."} {
		r := unmet.Results[i]
		if r.Holds != (want == "") || !strings.Contains(r.Why, want) || r.Unknown != strings.HasPrefix(want, "The cluster") {
			t.Errorf("%s: %+v, want %q", r.Check.Name(), r, want)
		}
	}
	if ses.Position() != 0 {
		t.Error("the step is done")
	}
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ses.Do(ctx, Command{Action: ActionTry}, nil); err != nil || ses.Position() != 1 {
		t.Errorf("at %d: %v", ses.Position(), err)
	}
	if err := ses.Do(ctx, Command{Action: ActionTry}, nil); !errors.Is(err, ErrEnd) {
		t.Errorf("at the end: %v", err)
	}
}

func TestHurry(t *testing.T) {
	tr := &trial{patience: 900 * time.Millisecond}
	for line, want := range map[string]string{
		"kubectl wait a/b --timeout=60s --for=delete": "kubectl wait a/b --timeout=900ms --for=delete",
		"fluxdemo wait page --timeout 60s x":          "fluxdemo wait page --timeout 900ms x",
		"sleep --timeout=60s":                         "sleep --timeout=60s",
		"kubectl wait a/b --timeout=500ms":            "kubectl wait a/b --timeout=500ms",
	} {
		if got := strings.Join(tr.hurry(strings.Fields(line)), " "); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
}

// TestSolve does a step for a learner with its own commands, and on stage as it is written.
func TestSolve(t *testing.T) {
	t.Parallel()
	text := walktest.Front + "## One\n```sh\necho stage > done\n```\n```sh check\ntest -s \"$WALK_DIR/done\"\n```\n```sh solve\necho learner > done\n```\n```sh undo\nrm -f done\n```\n"
	for want, o := range map[string]SessionOptions{"stage\n": {}, "learner\n": {Learner: true}} {
		dir := t.TempDir()
		o.Runner = testOptions(dir)
		ses := openSession(t, text, o)
		ctx := walktest.Context(t)
		for _, a := range []Action{ActionBegin, ActionNext} {
			if err := ses.Do(ctx, Command{Action: a}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(filepath.Join(dir, "done")); err != nil || string(got) != want || ses.Position() != 1 {
			t.Errorf("at %d: %q, %v, want %q", ses.Position(), got, err, want)
		}
	}
}

// TestPatience has a check begin again, because what it compares with has moved.
func TestPatience(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fake := "#!/bin/sh\necho \"$@\" > " + dir + "/args\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(fake), 0o700); err != nil {
		t.Fatal(err)
	}
	o := SessionOptions{Runner: testOptions(dir)}
	o.Runner.Env = append(o.Runner.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	ses := openSession(t, walktest.Front+"## One\n```sh\ntrue\n```\n```sh check\nkubectl wait a/b --timeout=60s\n```\n```sh undo\ntrue\n```\n", o)
	ctx := walktest.Context(t)
	for _, c := range []Command{{Action: ActionBegin}, {Action: ActionComplete, Patience: Patience}} {
		err := ses.Do(ctx, c, nil)
		if _, failed := errors.AsType[*StepError](err); err != nil && !failed {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "args")); err != nil || string(got) != "wait a/b --timeout=10s\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestHints goes through the levels of the hints, in processes of their own.
func TestHints(t *testing.T) {
	t.Parallel()
	text := walktest.Front + "## One\n```sh\ntouch done\n```\n```sh check\ntest -f \"$WALK_DIR/done\"\n```\n```sh undo\nrm -f done\n```\n" +
		"```text hint\nThink.\n```\n```text hint\nThink of touch.\n```\n## Two\n```sh look\nls\n```\n```sh check\ntrue\n```\n"
	dir, file := t.TempDir(), t.TempDir()+"/p"
	ctx := walktest.Context(t)
	var ses *Session
	for i, want := range []int{1, 2, 3, 3} {
		ses = openSession(t, text, SessionOptions{Runner: testOptions(dir), File: file})
		if i == 0 {
			if err := ses.Do(ctx, Command{Action: ActionBegin}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := ses.Do(ctx, Command{Action: ActionHint}, nil); err != nil || ses.Hints() != want {
			t.Errorf("%d: %d, %v", i, ses.Hints(), err)
		}
	}
	if levels := ses.Walk().Steps[0].Hints(); len(levels) != 3 || levels[1][0].Text != "Think of touch.\n" || levels[2][0].Role != Change {
		t.Errorf("%+v", levels)
	}
	if err := ses.Do(ctx, Command{Action: ActionNext}, nil); err != nil || ses.Hints() != 0 {
		t.Errorf("the next step: %d, %v", ses.Hints(), err)
	}
}
