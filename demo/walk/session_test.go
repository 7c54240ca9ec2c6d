package walk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// childEnv makes the test binary a walk that is killed; see TestKilledAnywhere.
const childEnv = "WALK_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
	}
	code := m.Run()
	if dir, err := bareTemplate(); err == nil {
		_ = os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(code)
}

// colours is a walk whose state is in a Git repository, in files and in the shell: each of three steps pushes a
// commit and notes what it did, and the undo of the second forgets Git. Each command may kill the process: the
// variable AT says at which.
func colours() string {
	var b strings.Builder
	b.WriteString(walktest.Front + "## Setup\n```sh\nrm -rf fleet log state\ngit clone -q \"$FLEET\" fleet\n```\n")
	for i, colour := range []string{"red", "green", "blue"} {
		undo := "git reset -q --hard \"$before\"\ngit push -q --force origin HEAD:main\n"
		if i == 1 {
			undo = "git reset -q --hard \"$WALK_COMMIT\"\n"
		}
		fmt.Fprintf(&b, "## Paint it %[1]s\n```sh\ncd \"$WALK_DIR/fleet\"\nbefore=$(git rev-parse HEAD)\nlast%[1]s=\"it's \"\n"+
			"echo %[1]s > colour\n[ \"$AT\" != %[1]s-1 ] || sh -c 'kill -9 $PPID'\ngit commit -q -a -m %[1]s\n[ \"$AT\" != %[1]s-2 ] || sh -c 'kill -9 $PPID'\n"+
			"git push -q origin HEAD:main\n[ \"$AT\" != %[1]s-3 ] || sh -c 'kill -9 $PPID'\necho %[1]s >> \"$WALK_DIR/log\"\n```\n"+
			"```sh check\n[ \"$AT\" != %[1]s-4 ] || sh -c 'kill -9 $PPID'\ntest \"$(git ls-remote \"$FLEET\" main | cut -f 1)\" = \"$(git rev-parse HEAD)\"\n```\n"+
			"```sh undo\ncd \"$WALK_DIR/fleet\"\n%[2]sgrep -v %[1]s \"$WALK_DIR/log\" > new || true\nmv new \"$WALK_DIR/log\"\ntest -s \"$WALK_DIR/log\" || rm \"$WALK_DIR/log\"\n```\n", colour, undo)
	}
	b.WriteString("## Look back\n```sh look\necho \"$lastred$lastgreen$lastblue\" > \"$WALK_DIR/state\"\n```\n```sh check\ntrue\n```\n## Cleanup\n```sh\nrm -rf fleet log state\n```\n")
	return b.String()
}

func colourOptions(dir, file string, fleet bare) SessionOptions {
	o := SessionOptions{Runner: testOptions(dir), File: file, Git: fleet}
	o.Runner.Env = append(o.Runner.Env, append(gitEnv(), "FLEET="+string(fleet), "AT="+os.Getenv("AT"))...)
	return o
}

// state is all that a step of colours changes, but for the shell.
func state(t *testing.T, dir string, fleet bare) string {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "none"
		}
		return string(b)
	}
	return strings.Join([]string{git(t, string(fleet), "rev-parse", "main"), git(t, filepath.Join(dir, "fleet"), "rev-parse", "HEAD"), read("log"), read("fleet/colour")}, " ")
}

func TestBackIsReal(t *testing.T) {
	t.Parallel()
	fleet, dir := newBare(t), t.TempDir()
	ses := openSession(t, colours(), colourOptions(dir, filepath.Join(t.TempDir(), "p"), fleet))
	ctx := walktest.Context(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(ses.Do(ctx, Command{Action: ActionBegin}, nil))
	if err := ses.Do(ctx, Command{Action: ActionBack}, nil); !errors.Is(err, ErrStart) {
		t.Errorf("back at the start: %v", err)
	}
	states := []string{state(t, dir, fleet)}
	shells := []snapshot{ses.runner.snapshot()}
	for i := range ses.Walk().Steps {
		must(ses.Do(ctx, Command{Action: ActionNext}, nil))
		after := state(t, dir, fleet)
		if ses.Position() != i+1 {
			t.Fatalf("at %d after step %d", ses.Position(), i+1)
		}
		must(ses.Do(ctx, Command{Action: ActionBack}, nil))
		if got := state(t, dir, fleet); got != states[i] {
			t.Errorf("back from step %d: %s\nwant %s", i+1, got, states[i])
		}
		if got := ses.runner.snapshot(); got != shells[i] {
			t.Errorf("back from step %d the shell is %+v, want %+v", i+1, got, shells[i])
		}
		must(ses.Do(ctx, Command{Action: ActionRun}, nil))
		must(ses.Do(ctx, Command{Action: ActionAgain}, nil))
		states, shells = append(states, state(t, dir, fleet)), append(shells, ses.runner.snapshot())
		if strings.Fields(after)[2] != strings.Fields(states[i+1])[2] {
			t.Errorf("step %d again: %s, the first time %s", i+1, states[i+1], after)
		}
	}
	if err := ses.Do(ctx, Command{Action: ActionNext}, nil); !errors.Is(err, ErrEnd) {
		t.Errorf("next at the end: %v", err)
	}
	// Far there and back.
	must(ses.Do(ctx, Command{Action: ActionGoTo, Step: 1}, nil))
	if got := state(t, dir, fleet); got != states[1] || ses.Position() != 1 {
		t.Errorf("at %d: %s\nwant %s", ses.Position(), got, states[1])
	}
	must(ses.Do(ctx, Command{Action: ActionGoTo, Step: 4}, nil))
	if ses.Position() != 4 || !strings.Contains(state(t, dir, fleet), "red\ngreen\nblue\n") {
		t.Errorf("at %d: %s", ses.Position(), state(t, dir, fleet))
	}
	if err := ses.Do(ctx, Command{Action: ActionGoTo, Step: 6}, nil); err == nil {
		t.Error("went to a step that is not there")
	}
	must(ses.Do(ctx, Command{Action: ActionEnd}, nil))
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if _, err := os.Stat(ses.o.File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the progress is still there: %v", err)
	}
}

// child is a process that does the walk of colours until it is killed.
func child() {
	ctx := context.Background()
	w, err := Parse("test.md", []byte(colours()))
	if err == nil {
		var ses *Session
		ses, err = Open(ctx, w, colourOptions(os.Getenv("DIR"), os.Getenv("FILE"), bare(os.Getenv("FLEET"))))
		if err == nil {
			err = ses.Do(ctx, Command{Action: ActionBegin}, nil)
		}
		for err == nil && ses.Position() < len(w.Steps) {
			err = ses.Do(ctx, Command{Action: ActionNext}, nil)
		}
	}
	fmt.Println(err)
	os.Exit(3)
}

func TestKilledAnywhere(t *testing.T) {
	for _, colour := range []string{"red", "green", "blue"} {
		for i := 1; i <= 4; i++ {
			at := fmt.Sprintf("%s-%d", colour, i)
			t.Run(at, func(t *testing.T) {
				t.Parallel()
				fleet, dir, file := newBare(t), t.TempDir(), filepath.Join(t.TempDir(), "progress")
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), childEnv+"=1", "AT="+at, "DIR="+dir, "FILE="+file, "FLEET="+string(fleet))
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the child was not killed: %v\n%s", err, out)
				}
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("progress %v, %v", info, err)
				}
				ses := openSession(t, colours(), colourOptions(dir, file, fleet))
				ctx := walktest.Context(t)
				if want := map[string]int{"red": 0, "green": 1, "blue": 2}[colour]; ses.Position() != want || !ses.Begun() || !ses.Started() {
					t.Errorf("goes on at %d, begun %v, want %d", ses.Position(), ses.Begun(), want)
				}
				if err := ses.Do(ctx, Command{Action: ActionBegin}, nil); err != nil {
					t.Fatal(err)
				}
				for ses.Position() < len(ses.Walk().Steps) {
					if err := ses.Do(ctx, Command{Action: ActionNext}, nil); err != nil {
						t.Fatal(err)
					}
				}
				if got, _ := os.ReadFile(filepath.Join(dir, "log")); string(got) != "red\ngreen\nblue\n" {
					t.Errorf("log %q", got)
				}
				if got, _ := os.ReadFile(filepath.Join(dir, "state")); string(got) != "it's it's it's \n" {
					t.Errorf("variables %q", got)
				}
				if got := git(t, string(fleet), "log", "--format=%s", "main"); got != "blue\ngreen\nred\nfirst" {
					t.Errorf("commits %q", got)
				}
				if err := ses.Do(ctx, Command{Action: ActionGoTo, Step: 0}, nil); err != nil {
					t.Fatal(err)
				}
				if got := git(t, string(fleet), "log", "--format=%s", "main"); got != "first" {
					t.Errorf("commits after the way back %q", got)
				}
			})
		}
	}
}

func TestProgress(t *testing.T) {
	ctx := walktest.Context(t)
	src := walktest.OneStep("mkdir it", "true", "rmdir it")
	ses, dir := newSession(t, "---\nneeds: []\n---\n# A walk\n## Setup\n```sh\ntouch set\n```\n"+src[len(walktest.Front):])
	text := func() []byte { b, _ := os.ReadFile(ses.o.File); return b }
	if err := errors.Join(ses.Do(ctx, Command{Action: ActionBegin}, nil), ses.Do(ctx, Command{Action: ActionNext}, nil)); err != nil {
		t.Fatal(err)
	}
	kept := text()
	if !json.Valid(kept) || !strings.Contains(string(kept), ses.Walk().Hash) {
		t.Errorf("kept %s", kept)
	}
	open := func(w *Walk, fresh bool) (*Session, error) {
		return Open(ctx, w, SessionOptions{Runner: testOptions(dir), File: ses.o.File, Fresh: fresh})
	}
	if again, err := open(ses.Walk(), false); err != nil || again.Position() != 1 || !again.Started() {
		t.Errorf("taken up: %v, %+v", err, again)
	}
	other := *ses.Walk()
	other.Hash = "other"
	if again, err := open(&other, false); err != nil || again.Position() != 0 || again.Started() {
		t.Errorf("another text: %v, %+v", err, again)
	}
	// What another process does is seen.
	second, err := open(ses.Walk(), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Do(ctx, Command{Action: ActionBack}, nil); err != nil {
		t.Fatal(err)
	}
	if err := ses.Do(ctx, Command{Action: ActionNext}, nil); err != nil || ses.Position() != 1 {
		t.Errorf("after another process went back: at %d, %v", ses.Position(), err)
	}
	if again, err := open(ses.Walk(), true); err != nil || again.Position() != 0 || again.Started() || text() != nil {
		t.Errorf("fresh: %v, %+v", err, again)
	}
	if err := os.WriteFile(ses.o.File, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(ses.Walk(), false); err == nil || !strings.Contains(err.Error(), "remove "+ses.o.File) {
		t.Errorf("broken: %v", err)
	}
}

func TestFailedStepIsTakenBackFirst(t *testing.T) {
	ctx := walktest.Context(t)
	ses, dir := newSession(t, walktest.OneStep("mkdir it\ntest -e ../go || test -e go", "true", "rmdir it"))
	ses.o.Diagnose = func(context.Context) string { return "Kustomization a/b: bad\n  an event\n" }
	if err := ses.Do(ctx, Command{Action: ActionBegin}, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := ses.Do(ctx, Command{Action: ActionNext}, nil)
		want := "test.md:8: step 1, One: exit status 1 after T\n    $ test -e ../go || test -e go\nNot ready in the cluster:\n    Kustomization a/b: bad\n      an event"
		if err == nil || withoutTimes(err.Error()) != want || !ses.Begun() {
			t.Fatalf("got %v\nwant %s", err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ses.Do(ctx, Command{Action: ActionNext}, nil); err != nil || ses.Begun() || ses.Position() != 1 {
		t.Errorf("at %d: %v", ses.Position(), err)
	}
	if err := ses.Do(t.Context(), Command{Action: ActionSkip}, nil); err != nil { // nothing to pass
		t.Error(err)
	}
	if ses.Position() != 1 {
		t.Errorf("passed the end")
	}
}

func TestNeeds(t *testing.T) {
	ctx := walktest.Context(t)
	needed, neededDir := newRunner(t, walktest.Front+"## One\n```sh\ntouch base\n```\n```sh check\ntrue\n```\n```sh undo\ntrue\n```\n## Cleanup\n```sh\nrm base\n```\n")
	w, err := Parse("test.md", []byte(walktest.Front+"## One\n```sh look\ntest -e "+neededDir+"/base\n```\n```sh check\ntrue\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	ses, err := Open(ctx, w, SessionOptions{Runner: testOptions(t.TempDir()), Needs: []*Runner{needed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := all(ctx, ses); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(neededDir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestSnapshot(t *testing.T) {
	r, dir := newRunner(t, walktest.Front+"## One\n```bash look\nplain=$'it\\'s\\n \"two\"'\nexport LOUD=yes\nlist=(a 'b c')\nlist[5]=far\ndeclare -A map=([k]=v)\nunset SET\nsay() { echo \"$1 and $plain\"; }\nmkdir 'a folder'; cd 'a folder'\n```\n```sh check\ntrue\n```\n"+
		"## Two\n```bash look\necho \"${list[1]} ${list[5]} ${#list[@]} ${map[k]} ${SET-unset}\" > out\nsay you >> out\nenv | grep LOUD >> out\npwd >> out\n```\n```sh check\ntrue\n```\n")
	environ := Options{Env: []string{"PATH=" + os.Getenv("PATH"), "SET=1"}, Dir: dir}
	r, err := NewRunner(r.Walk(), environ)
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewRunner(r.Walk(), environ)
	if err != nil {
		t.Fatal(err)
	}
	ctx := walktest.Context(t)
	if err := r.RunStep(ctx, 0, nil); err != nil {
		t.Fatal(err)
	}
	kept := r.snapshot()
	if err := again.restore(kept); err != nil {
		t.Fatal(err)
	}
	if err := again.RunStep(ctx, 1, nil); err != nil {
		t.Fatal(err)
	}
	got, _ := os.ReadFile(filepath.Join(dir, "a folder", "out"))
	want := "b c far 3 v unset\nyou and it's\n \"two\"\nLOUD=yes\n" + filepath.Join(dir, "a folder") + "\n"
	if string(got) != want {
		t.Errorf("got %q, want %q, kept %s", got, want, kept.Script)
	}
	// A folder that is gone is no reason to give up.
	if err := os.RemoveAll(filepath.Join(dir, "a folder")); err != nil {
		t.Fatal(err)
	}
	if err := again.restore(kept); err != nil || again.shell.Dir != dir {
		t.Errorf("in %s, %v", again.shell.Dir, err)
	}
}

func BenchmarkStep(b *testing.B) {
	w, err := Parse("test.md", []byte(walktest.OneStep("x=1", "true", "true")))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	ses, err := Open(b.Context(), w, SessionOptions{Runner: testOptions(dir), File: filepath.Join(dir, "p")})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := errors.Join(
			ses.Do(b.Context(), Command{Action: ActionNext}, nil),
			ses.Do(b.Context(), Command{Action: ActionBack}, nil),
		); err != nil {
			b.Fatal(err)
		}
	}
}
