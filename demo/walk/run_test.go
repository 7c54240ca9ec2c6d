package walk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mvdan.cc/sh/v3/interp"
)

// testDeadline is far above what any test needs.
const testDeadline = 30 * time.Second

func newRunner(t *testing.T, src string) (r *Runner, dir string) {
	t.Helper()
	ses, dir := newSession(t, src)
	return ses.runner, dir
}

// newSession makes a session that keeps its progress beside its work folder.
func newSession(t *testing.T, src string) (ses *Session, dir string) {
	t.Helper()
	dir = t.TempDir()
	return openSession(t, src, SessionOptions{Runner: testOptions(dir), File: filepath.Join(t.TempDir(), "progress.json")}), dir
}

func testOptions(dir string) Options {
	return Options{Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, Dir: dir}
}

func openSession(t *testing.T, src string, o SessionOptions) *Session {
	t.Helper()
	w, err := Parse("test.md", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	ses, err := Open(testContext(t), w, o)
	if err != nil {
		t.Fatal(err)
	}
	return ses
}

// oneStep is a walk with one step of a change, a check and an undo.
func oneStep(change, check, undo string) string {
	return front + "## One\n```sh timeout=300ms\n" + change + "\n```\n```sh check timeout=20s\n" + check + "\n```\n```sh undo\n" + undo + "\n```\n"
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testDeadline)
	t.Cleanup(cancel)
	return ctx
}

func TestCarryOver(t *testing.T) {
	r, dir := newRunner(t, front+
		"## One\n```sh\nword=hello\nexport LOUD=yes\nmkdir -p deep\ncd deep\nsay() { echo \"$word $LOUD\"; }\n```\n```sh check\ntrue\n```\n```sh undo\ntrue\n```\n"+
		"## Two\n```sh look\nsay > out.txt\nenv | grep LOUD >> out.txt\npwd -P >> out.txt\necho \"$WALK_DIR\" >> out.txt\n```\n```sh check\ntest -s out.txt\n```\n"+
		"## Cleanup\n```sh\nrm -rf deep\npwd > end.txt\n```\n")
	ctx := testContext(t)
	for i := range r.Walk().Steps {
		if err := r.RunStep(ctx, i, nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "deep", "out.txt"))
	home, _ := filepath.EvalSymlinks(dir)
	if want := fmt.Sprintf("hello yes\nLOUD=yes\n%s\n%s\n", filepath.Join(home, "deep"), dir); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := r.Cleanup(ctx, nil); err != nil {
		t.Error(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "end.txt")); string(got) != dir+"\n" {
		t.Errorf("the cleanup ran in %q", got)
	}
}

func TestUndoBringsBack(t *testing.T) {
	r, dir := newRunner(t, oneStep("touch it", "test -e it", "rm -f it"))
	ctx := testContext(t)
	file := filepath.Join(dir, "it")
	for range 2 { // there and back, twice
		if err := r.RunStep(ctx, 0, nil); err != nil {
			t.Fatal(err)
		}
		if err := r.Check(ctx, 0, nil); err != nil {
			t.Error(err)
		}
		for range 2 { // an undo that has nothing to do is no error
			if err := r.Undo(ctx, 0, nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the undo left the file: %v", err)
		}
		if err := r.Check(ctx, 0, nil); err == nil {
			t.Error("the check holds after the undo")
		}
	}
}

func TestFailureNamesThePlace(t *testing.T) {
	tests := []struct {
		name, change, check, want string
	}{
		{"status", "echo good\nsh -c 'echo bad >&2; exit 3'", "true",
			"test.md:8: step 1, One: exit status 3 after T\n    $ sh -c 'echo bad >&2; exit 3'\n    bad"},
		{"not found", "no-such-program", "true",
			"test.md:7: step 1, One: command not found (exit status 127) after T\n    $ no-such-program\n    \"no-such-program\": executable file not found in $PATH"},
		{"check", "true", "echo not yet; false", "test.md:10: step 1, One: exit status 1 after T\n    $ false\n    not yet"},
		{"exit", "exit 4", "true", "test.md:7: step 1, One: exit status 4 after T\n    $ exit 4"},
		{"slow", "while true; do :; done", "true", "test.md:7: step 1, One: not done after T\n    $ while true; do :; done"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := newRunner(t, oneStep(tt.change, tt.check, "true"))
			err := r.RunStep(testContext(t), 0, nil)
			if err == nil || withoutTimes(err.Error()) != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
			var failed *StepError
			if !errors.As(err, &failed) || failed.Step.Number != 1 {
				t.Errorf("no StepError: %#v", err)
			}
			// The shell is as good as before.
			if err := r.Undo(testContext(t), 0, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

var times = regexp.MustCompile(`\d+\.\d s`)

func withoutTimes(s string) string { return times.ReplaceAllString(s, "T") }

func TestDeadlineEndsTheWholeFamily(t *testing.T) {
	for name, change := range map[string]string{
		"obedient":  `sh -c 'sleep 300 > pipe & wait'`,
		"stubborn":  `sh -c 'trap "" TERM; sleep 300 > pipe & wait; wait'`,
		"piped":     `sh -c 'sleep 300 > pipe & wait' | cat`,
		"forgetful": `sh -c 'sleep 300 > pipe & sleep 300'`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, dir := newRunner(t, oneStep(change, "true", "true"))
			pipe := filepath.Join(dir, "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			gone := make(chan error, 1)
			go func() { // the pipe ends when nobody is left who holds it
				f, err := os.Open(pipe)
				if err == nil {
					_, err = io.ReadAll(f)
				}
				gone <- err
			}()
			err := r.RunStep(testContext(t), 0, nil)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			select {
			case err := <-gone:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(testDeadline):
				t.Error("a child is still there")
			}
		})
	}
}

func TestInterruption(t *testing.T) {
	r, _ := newRunner(t, oneStep("true", "echo waiting; sleep 300", "true"))
	ctx, cancel := context.WithCancel(testContext(t))
	err := r.RunStep(ctx, 0, func(ev Event) {
		if ev.Kind == CommandStart && strings.HasPrefix(ev.Command.Text, "sleep") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "interrupted after") {
		t.Errorf("got %v", err)
	}
}

func TestCheckWaits(t *testing.T) {
	r, dir := newRunner(t, oneStep("true", "echo nobody came yet >&2\ntest \"$(cat pipe)\" = now", "true"))
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	var waiting, held atomic.Bool
	err := r.RunStep(testContext(t), 0, func(ev Event) {
		switch {
		case ev.Kind == Waiting && ev.Text == "nobody came yet" && ev.Elapsed > 0 && !waiting.Swap(true):
			go func() { _ = os.WriteFile(pipe, []byte("now"), 0o600) }()
		case ev.Kind == BlockEnd && ev.Block.Role == Check:
			held.Store(ev.Err == nil)
		}
	})
	if err != nil || !waiting.Load() || !held.Load() {
		t.Errorf("error %v, said what it waits for: %v, held: %v", err, waiting.Load(), held.Load())
	}
}

func TestAutoGolden(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "complete.md"))
	if err != nil {
		t.Fatal(err)
	}
	ses, dir := newSession(t, string(src))
	var out bytes.Buffer
	if err := Auto(testContext(t), ses, NewScreen(&out, []string{"TERM=xterm-256color"}), AutoOptions{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "auto.golden", out.String())
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("the cleanup left %v", left)
	}
}

// golden compares with a file of testdata, and writes it when UPDATE is set. Times are all the same.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = times.ReplaceAllString(got, "0.0 s")
	for _, l := range strings.Split(got, "\n") {
		if n := len([]rune(l)); n > screenWidth || strings.ContainsRune(l, '\x1b') {
			t.Errorf("%d columns, or colours in a file: %q", n, l)
		}
	}
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

func TestAutoFailure(t *testing.T) {
	ses, dir := newSession(t, oneStep("touch it; false", "true", "rm it")+"## Cleanup\n```sh\ntouch clean\n```\n")
	var out bytes.Buffer
	err := Auto(testContext(t), ses, NewScreen(&out, nil), AutoOptions{})
	if err == nil || !errors.Is(err, interp.ExitStatus(1)) || !strings.Contains(out.String(), "✗ touch it") {
		t.Errorf("error %v, output\n%s", err, &out)
	}
	if _, err := os.Stat(filepath.Join(dir, "clean")); err != nil {
		t.Errorf("no cleanup after a failure: %v", err)
	}

	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	ses, dir = newSession(t, oneStep("true", "true", "true")+"## Cleanup\n```sh\ntouch clean\n```\n")
	if err := Auto(ctx, ses, NewScreen(&out, nil), AutoOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "clean")); err != nil {
		t.Errorf("no cleanup after an interruption: %v", err)
	}
}

func TestAutoOnceMore(t *testing.T) {
	for name, tt := range map[string]struct {
		change, ready string // ready is the file that makes the cluster heal
		heals         bool
	}{
		"healed":     {"touch it\ntest -e healed", "healed", true},
		"not healed": {"touch it\ntest -e healed", "other", false},
		"no program": {"no-such-program", "healed", false},
	} {
		t.Run(name, func(t *testing.T) {
			ses, dir := newSession(t, oneStep(tt.change, "test -e it", "rm it"))
			asked := 0
			ses.o.Runner.Ready = func(context.Context) error {
				asked++
				return os.WriteFile(filepath.Join(dir, tt.ready), nil, 0o600)
			}
			var out bytes.Buffer
			err := Auto(testContext(t), ses, NewScreen(&out, nil), AutoOptions{})
			if (err == nil) != tt.heals || asked > 1 {
				t.Errorf("asked %d times, error %v, output\n%s", asked, err, &out)
			}
		})
	}
}
