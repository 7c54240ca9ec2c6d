package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

func (n noGit) Do(ctx context.Context, c walk.Command, ev walk.Events) error {
	if c.Action == walk.ActionNext {
		return errors.New("the Git host does not answer")
	}
	return n.Session.Do(ctx, c, ev)
}

// cue is a key that is pressed as soon as the screen is so far.
type cue struct {
	when func(*model) bool
	keys string
}

// focus is what a terminal sends when somebody looks at it.
const focus = "\x1b[I"

// play runs the whole program, without a terminal, and presses keys on their cues.
func play(t *testing.T, ctx context.Context, src, dir string, o Options, cues []cue) (string, error) {
	t.Helper()
	var out bytes.Buffer
	in, keyboard := io.Pipe()
	pressed := make(chan string, len(cues))
	go func() {
		for k := range pressed {
			// The terminal is looked at afterwards, so that the next cue is seen at once.
			_, _ = io.WriteString(keyboard, k+focus)
		}
		_ = keyboard.Close()
	}()
	o.In, o.Out = in, &out
	m := newModel(ctx, openSession(t, ctx, src, dir), o)
	err := run(ctx, m, o, tea.WithWindowSize(72, 20), tea.WithFilter(func(_ tea.Model, msg tea.Msg) tea.Msg {
		if len(cues) > 0 && cues[0].when(m) {
			pressed <- cues[0].keys
			cues = cues[1:]
		}
		return msg
	}))
	close(pressed)
	_ = in.Close()
	if len(cues) > 0 {
		t.Errorf("%d cues did not come, at page %d, position %d", len(cues), m.at, m.pos)
	}
	return out.String(), err
}

// idle waits for a page that the session has nothing to do with.
func idle(at, pos int) func(*model) bool {
	return func(m *model) bool { return m.busy == nil && m.at == at && m.pos == pos }
}

// colour is a change of the letters' colour.
var colour = regexp.MustCompile(`\x1b\[[0-9;]*\b(3[0-8]|9[0-7])[;m]`)

func TestNoColor(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for value, want := range map[string]bool{"": true, "1": false, "yes": false} {
		environ := []string{"TERM=xterm-256color", "CLICOLOR_FORCE=1", "NO_COLOR=" + value}
		out, err := play(t, ctx, twoSteps, t.TempDir(), Options{Environ: environ}, []cue{
			{idle(intro, 0), "\r"}, {idle(0, 0), "\r"}, {idle(0, 1), "q"},
		})
		if err != nil || colour.MatchString(out) != want {
			t.Errorf("NO_COLOR=%s: %v, colours are not %v in %q", value, err, want, out)
		}
	}
}

// TestHostile runs a walk whose title and whose command mean to change the terminal.
func TestHostile(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	src := strings.ReplaceAll(oneStep(`printf 'un\033]0;owned\aharmed\342\200\256\n'`, "true"), "## ", "## \u202e\x1b]0;owned\aStep ")
	out, err := play(t, ctx, src, t.TempDir(), Options{}, []cue{
		{idle(intro, 0), "\r"}, {idle(0, 0), "\r"}, {idle(0, 1), "q"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "\x1b]0;") || strings.Contains(out, "\u202e") || !strings.Contains(out, "unharmed") || !strings.Contains(out, "Step ") {
		t.Errorf("%q", out)
	}
}

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	out, err := play(t, ctx, twoSteps, dir, Options{Type: true, Speed: 1000}, []cue{
		{idle(intro, 0), "\r"}, {idle(0, 0), " "}, {idle(0, 1), "\x1b[6~"}, {idle(1, 1), "\x1b[C"},
		{idle(1, 2), "\r"}, {idle(2, 2), "\r"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Make one", "First.", "one is there", "Second.", "two is there", "2 steps done in 0:0"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%q", want, out)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestRunQuit(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	out, err := play(t, ctx, oneStep(slow, "true"), dir, Options{}, []cue{
		{idle(intro, 0), "\r"}, {idle(0, 0), "\r"},
		{func(m *model) bool { return m.ran() && len(m.pages[0].entries) == 3 }, "qq"},
	})
	if err != nil || !strings.Contains(out, "The next run resumes here.") {
		t.Errorf("%v, %q", err, out)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := play(t, ctx, oneStep(slow, "true"), t.TempDir(), Options{}, []cue{
		{idle(intro, 0), "\r"}, {idle(0, 0), "\r"},
		{func(m *model) bool {
			if !m.ran() {
				return false
			}
			cancel()
			return true
		}, ""},
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
