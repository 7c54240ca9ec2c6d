package lesson

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

const text = walktest.Front + "## Make it\nWhat the speaker says.\n```sh\ntouch made\n```\n" +
	"```sh check label=\"it is there\"\n# You have not made it.\ntest -f \"$WALK_DIR/made\"\n```\n" +
	"```text task\nMake the file.\n```\n```text hint\nThink.\n```\n```text hint\nThink of touch.\n```\n```text why\nFiles stay.\n```\n```sh undo\nrm -f made\n```\n" +
	"## Look at it\n```sh look\nls\n```\n```sh check label=\"still there\"\ntest -f \"$WALK_DIR/made\"\n```\n```text task\nLook at the file.\n```\n" +
	"## Cleanup\n```sh\nrm -f made\n```\n"

func openSession(t *testing.T, dir string) *walk.Session {
	t.Helper()
	return openShared(t, dir, filepath.Join(t.TempDir(), "p"))
}

// openShared opens a session as another process does that has the same progress.
func openShared(t *testing.T, dir, file string) *walk.Session {
	t.Helper()
	w, err := walk.Parse("test.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	ses, err := walk.Open(walktest.Context(t), w, walk.SessionOptions{
		Runner: walk.Options{Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}}, File: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ses
}

// inFleet is a session that moves the fleet when it goes back.
type inFleet struct{ *walk.Session }

func (inFleet) HasFleet() bool { return true }

// cue is what is done as soon as the screen is so far.
type cue struct {
	see  string // on the screen, without colours
	keys string
	do   func()
}

// focus is what a terminal sends when it is looked at.
const focus = "\x1b[I"

// play runs the whole program without a terminal, and presses keys on their cues.
func play(t *testing.T, ctx context.Context, ses Session, cues []cue) (last string, err error) {
	t.Helper()
	in, keyboard := io.Pipe()
	pressed := make(chan string, len(cues))
	go func() {
		for k := range pressed {
			_, _ = io.WriteString(keyboard, k+focus) // the screen is looked at afterwards, for the next cue
		}
		_ = keyboard.Close()
	}()
	var out bytes.Buffer
	o := Options{In: in, Out: &out, Environ: []string{"TERM=xterm-256color"}, Prelude: []string{`eval "$(fluxdemo env)"`}}
	m := newModel(ctx, ses, o)
	err = run(ctx, m, o, tea.WithWindowSize(72, 24), tea.WithFilter(func(_ tea.Model, msg tea.Msg) tea.Msg {
		last = ansi.Strip(m.View().Content)
		if len(cues) > 0 && strings.Contains(last, cues[0].see) {
			if cues[0].do != nil {
				cues[0].do()
			}
			pressed <- cues[0].keys
			cues = cues[1:]
		}
		return msg
	}))
	close(pressed)
	_ = in.Close()
	if len(cues) > 0 {
		t.Errorf("%q was not seen; the screen is\n%s", cues[0].see, last)
	}
	return out.String(), err
}

func TestLesson(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	ses := openSession(t, dir)
	out, err := play(t, walktest.Context(t), inFleet{ses}, []cue{
		{see: "Make the file."},
		{see: `eval "$(fluxdemo env)"`},
		{see: "You have not made it.", keys: "h"},
		{see: "Hint 1 of 3", keys: "h"},
		{see: "Think of touch.", keys: "h"},
		{see: "\ntouch made", keys: "c"},
		{see: "✗ it is there"},
		{see: "h hint · c check · s solve · r reset · b back · q quit", do: func() {
			if err := os.WriteFile(made, nil, 0o600); err != nil {
				t.Error(err)
			}
		}},
		{see: "Files stay.", keys: "\r"},
		{see: "Look at the file.", keys: "b"},
		{see: "Update your clone: git fetch && git reset --hard origin/main", keys: "s"},
		{see: "Files stay."},
		{see: "Update your clone", keys: "\r"},
		{see: "$ ls", keys: "s"},
		{see: "The commands printed:"},
		{see: "  made", keys: "\r"},
		{see: "All 2 steps are done.", keys: "\r"},
	})
	if err != nil || !strings.Contains(out, "The end.") {
		t.Errorf("%v\n%q", err, out)
	}
	if _, err := os.Stat(made); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is not cleaned up: %v", err)
	}
}

// TestElsewhere has another process do the step while the screen waits.
func TestElsewhere(t *testing.T) {
	dir := t.TempDir()
	ses := openSession(t, dir)
	out, err := play(t, walktest.Context(t), ses, []cue{
		{see: "You have not made it.", do: func() {
			if err := os.WriteFile(filepath.Join(dir, "made"), nil, 0o600); err != nil {
				t.Error(err)
			}
		}},
		{see: "Files stay.", keys: "q"},
	})
	if err != nil || !strings.Contains(out, "The next run resumes here.") || ses.Position() != 1 {
		t.Errorf("at %d: %v\n%q", ses.Position(), err, out)
	}
}

// TestLookedElsewhere has another process pass a step that only looks, as `fluxdemo check` does.
func TestLookedElsewhere(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "p")
	ctx := walktest.Context(t)
	other := openShared(t, dir, file)
	_, err := play(t, ctx, openShared(t, dir, file), []cue{
		{see: "You have not made it.", do: func() {
			if err := os.WriteFile(filepath.Join(dir, "made"), nil, 0o600); err != nil {
				t.Error(err)
			}
		}},
		{see: "Files stay.", keys: "\r"},
		{see: "Look at the file.", do: func() {
			for _, a := range []walk.Action{walk.ActionBegin, walk.ActionComplete} {
				if err := other.Do(ctx, walk.Command{Action: a}, nil); err != nil {
					t.Error(err)
				}
			}
		}},
		{see: "All 2 steps are done.", keys: "q"},
	})
	if err != nil {
		t.Error(err)
	}
}

// TestNarrow draws on small terminals: no line is too wide, and the keys are there.
func TestNarrow(t *testing.T) {
	ses := openSession(t, t.TempDir())
	if err := ses.Do(walktest.Context(t), walk.Command{Action: walk.ActionBegin}, nil); err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{72, 24}, {40, 10}, {20, 5}, {200, 60}} {
		m := newModel(walktest.Context(t), ses, Options{Prelude: []string{"cd there"}})
		m.begun, m.hints, m.width, m.height = true, 3, size[0], size[1]
		m.checks = []check{{block: &ses.Walk().Steps[0].Checks()[0], state: fails, why: strings.Repeat("because of this ", 20)}}
		lines := strings.Split(ansi.Strip(m.View().Content), "\n")
		if len(lines) > max(size[1], 6) {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		for _, line := range lines {
			if ansi.StringWidth(line) > max(size[0], 24) {
				t.Errorf("%v: %d columns: %q", size, ansi.StringWidth(line), line)
			}
		}
		if !strings.HasPrefix(lines[len(lines)-1], "h hint") {
			t.Errorf("%v: no keys in\n%s", size, strings.Join(lines, "\n"))
		}
	}
}

// TestMore draws a page that is longer than the screen: it says that there is more, and a new hint is in sight.
func TestMore(t *testing.T) {
	ses := openSession(t, t.TempDir())
	m := newModel(walktest.Context(t), ses, Options{Prelude: []string{"cd there"}})
	m.begun, m.width, m.height = true, 72, 9
	if got := ansi.Strip(m.View().Content); !strings.Contains(got, "Make the file.") || !strings.Contains(got, "↓ more") {
		t.Errorf("no mark in\n%s", got)
	}
	if err := ses.Do(walktest.Context(t), walk.Command{Action: walk.ActionBegin}, nil); err != nil {
		t.Fatal(err)
	}
	if err := ses.Do(walktest.Context(t), walk.Command{Action: walk.ActionHint}, nil); err != nil {
		t.Fatal(err)
	}
	m.done(doneMsg{command: walk.Command{Action: walk.ActionHint}})
	if got := ansi.Strip(m.View().Content); !strings.Contains(got, "Think.") || strings.Contains(got, "↓ more") {
		t.Errorf("the hint is out of sight:\n%s", got)
	}
	m.stop()
}

// TestHostile draws output and a reason that mean to change the terminal.
func TestHostile(t *testing.T) {
	ses := openSession(t, t.TempDir())
	m := newModel(walktest.Context(t), ses, Options{})
	m.begun, m.learnt, m.width, m.height = true, true, 72, 40
	step := &ses.Walk().Steps[0]
	m.checks = []check{{block: &step.Checks()[0], state: fails, why: "because\x1b]0;owned\a of\u202e it"}}
	m.take(walk.Event{Kind: walk.Output, Block: &step.Blocks[0], Text: "10 %\r20 %\tof\x1b[2J all\u202e\n"})
	got := m.View().Content
	for _, want := range []string{"  20 % of all\n", "because of it"} {
		if !strings.Contains(ansi.Strip(got), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.ContainsAny(got, "\a\r\u202e") || strings.Contains(got, "\x1b[2J") || strings.Contains(got, "10 %") {
		t.Errorf("drawn %q", got)
	}
}
