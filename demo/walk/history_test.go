package walk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// painted is a walk of two steps, each of which is done when the fleet's colour is right.
const painted = walktest.Front +
	"## Red\n```sh\ntrue\n```\n```sh check\ntest \"$(git -C \"$FLEET\" show main:colour)\" = red\n```\n```sh undo\ntrue\n```\n" +
	"## Green\n```sh\ntrue\n```\n```sh check\ntest \"$(git -C \"$FLEET\" show main:colour)\" = green\n```\n```sh undo\ntrue\n```\n"

// TestHistory has a learner push by force: a step does not pass while commits from before it are missing, and a session
// that begins again restores them. What the learner has only added stays.
func TestHistory(t *testing.T) {
	t.Parallel()
	ctx := walktest.Context(t)
	fleet, file := newBare(t), filepath.Join(t.TempDir(), "progress")
	open := func() *Session {
		o := SessionOptions{Runner: testOptions(t.TempDir()), File: file, Git: fleet, Learner: true}
		o.Runner.Env = append(o.Runner.Env, append(gitEnv(), "FLEET="+string(fleet))...)
		ses := openSession(t, painted, o)
		if err := ses.Do(ctx, Command{Action: ActionBegin}, nil); err != nil {
			t.Fatal(err)
		}
		return ses
	}
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, "", "clone", "-q", string(fleet), clone)
	paint := func(colour string, how ...string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(clone, "colour"), []byte(colour+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		git(t, clone, append([]string{"commit", "-q", "-a", "-m", colour}, how...)...)
		git(t, clone, "push", "-q", "--force", "origin", "HEAD:main")
		return git(t, clone, "rev-parse", "HEAD")
	}

	ses := open()
	red := paint("red")
	if err := ses.Do(ctx, Command{Action: ActionTry}, nil); err != nil || ses.Position() != 1 {
		t.Fatalf("a commit more: at %d, %v", ses.Position(), err)
	}
	// The colour is right, and the commit of the step before is gone.
	paint("green", "--amend")
	err := ses.Do(ctx, Command{Action: ActionTry}, nil)
	if unmet, is := errors.AsType[*UnmetError](err); !is || unmet.Results[0].Holds || !strings.Contains(unmet.Results[0].Why, "--force") {
		t.Errorf("commits dropped: %v", err)
	}
	waits := make(chan string, 100)
	completed := make(chan error, 1)
	go func() {
		completed <- ses.Do(ctx, Command{Action: ActionComplete, Patience: Patience}, func(ev Event) {
			if ev.Kind == Waiting && strings.Contains(ev.Text, "--force") {
				waits <- ev.Text
			}
		})
	}()
	select {
	case <-waits:
	case err := <-completed:
		t.Fatalf("completed: %v", err)
	}
	git(t, clone, "reset", "-q", "--hard", red)
	paint("green")
	if err := <-completed; err != nil || ses.Position() != 2 {
		t.Errorf("after the right push: at %d, %v", ses.Position(), err)
	}

	if err := ses.Do(ctx, Command{Action: ActionBack}, nil); err != nil {
		t.Fatal(err)
	}
	git(t, clone, "reset", "-q", "--hard", red)
	mine := paint("blue")
	if again := open(); again.Rejoined() || git(t, string(fleet), "rev-parse", "main") != mine {
		t.Error("what a learner has pushed is gone")
	}
	paint("blue", "--amend")
	git(t, clone, "reset", "-q", "--hard", red+"^")
	paint("purple") // as one who began anew
	if again := open(); !again.Rejoined() || git(t, string(fleet), "rev-parse", "main") != red {
		t.Error("the fleet is not restored")
	}
}
