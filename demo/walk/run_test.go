package walk

import (
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

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

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
	return Options{Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, Dir: dir, grace: 100 * time.Millisecond, waiting: 20 * time.Millisecond}
}

func openSession(t *testing.T, src string, o SessionOptions) *Session {
	t.Helper()
	w, err := Parse("test.md", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	ses, err := Open(walktest.Context(t), w, o)
	if err != nil {
		t.Fatal(err)
	}
	return ses
}

// all does a whole walk silently.
func all(ctx context.Context, ses *Session) error {
	for _, c := range []Command{{Action: ActionBegin}, {Action: ActionGoTo, Step: len(ses.Walk().Steps)}, {Action: ActionEnd}} {
		if err := ses.Do(ctx, c, nil); err != nil {
			return err
		}
	}
	return nil
}

func TestCarryOver(t *testing.T) {
	r, dir := newRunner(t, walktest.Front+
		"## One\n```sh\nword=hello\nexport LOUD=yes\nmkdir -p deep\ncd deep\nsay() { echo \"$word $LOUD\"; }\n```\n```sh check\ntrue\n```\n```sh undo\ntrue\n```\n"+
		"## Two\n```sh look\nsay > out.txt\nenv | grep LOUD >> out.txt\npwd -P >> out.txt\necho \"$WALK_DIR\" >> out.txt\n```\n```sh check\ntest -s out.txt\n```\n"+
		"## Cleanup\n```sh\nrm -rf deep\npwd > end.txt\n```\n")
	ctx := walktest.Context(t)
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
	r, dir := newRunner(t, walktest.OneStep("touch it", "test -e it", "rm -f it"))
	ctx := walktest.Context(t)
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

func TestFailureNamesThePosition(t *testing.T) {
	tests := []struct {
		name, change, check, want string
		timeout                   string // of the change
	}{
		{"status", "echo good\nsh -c 'echo bad >&2; exit 3'", "true",
			"test.md:8: step 1, One: exit status 3 after T\n    $ sh -c 'echo bad >&2; exit 3'\n    bad", "20s"},
		{"not found", "no-such-program", "true",
			"test.md:7: step 1, One: command not found (exit status 127) after T\n    $ no-such-program\n    \"no-such-program\": executable file not found in $PATH", "20s"},
		{"check", "true", "echo not yet; false", "test.md:10: step 1, One: exit status 1 after T\n    $ false\n    not yet", "20s"},
		{"exit", "exit 4", "true", "test.md:7: step 1, One: exit status 4 after T\n    $ exit 4", "20s"},
		{"slow", "while true; do :; done", "true", "test.md:7: step 1, One: not done after T\n    $ while true; do :; done", "300ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := newRunner(t, walktest.OneStepWithin(tt.timeout, tt.change, tt.check, "true"))
			err := r.RunStep(walktest.Context(t), 0, nil)
			if err == nil || withoutTimes(err.Error()) != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
			var failed *StepError
			if !errors.As(err, &failed) || failed.Step.Number != 1 {
				t.Errorf("no StepError: %#v", err)
			}
			// The shell is as good as before.
			if err := r.Undo(walktest.Context(t), 0, nil); err != nil {
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
			r, dir := newRunner(t, walktest.OneStepWithin("300ms", change, "true", "true"))
			r.killGrace = 100 * time.Millisecond // the stubborn one takes all of it
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
			err := r.RunStep(walktest.Context(t), 0, nil)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			select {
			case err := <-gone:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(walktest.Deadline):
				t.Error("a child is still there")
			}
		})
	}
}

func TestInterruption(t *testing.T) {
	r, _ := newRunner(t, walktest.OneStep("true", "echo waiting; sleep 300", "true"))
	ctx, cancel := context.WithCancel(walktest.Context(t))
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
	r, dir := newRunner(t, walktest.OneStep("true", "echo nobody came yet >&2\ntest \"$(cat pipe)\" = now", "true"))
	r.waitingEvery = time.Millisecond
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	var waiting, held atomic.Bool
	err := r.RunStep(walktest.Context(t), 0, func(ev Event) {
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
