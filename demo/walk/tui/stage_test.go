package tui

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// stage is a screen whose messages the test sends, over a real session in a folder of its own. Its clock stands
// still unless the test moves it, and ticks come only when the test sends them.
type stage struct {
	*testing.T
	m    *model
	ses  *walk.Session
	dir  string
	time time.Time
}

func openSession(t *testing.T, ctx context.Context, src, dir string) *walk.Session {
	t.Helper()
	w, err := walk.Parse("stage.md", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	ses, err := walk.Open(ctx, w, walk.SessionOptions{
		Runner:   walk.Options{Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, Dir: dir},
		File:     filepath.Join(t.TempDir(), "progress"),
		Diagnose: func(context.Context) string { return "Deployment app/app: 0 of 1 Pods are ready" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return ses
}

// newStage shows a walk and waits until it is ready to start.
func newStage(t *testing.T, width, height int, src string, o Options) *stage {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	s := &stage{T: t, dir: t.TempDir(), time: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
	s.ses = openSession(t, ctx, src, s.dir)
	s.m = newModel(ctx, s.ses, o)
	s.m.now = func() time.Time { return s.time }
	t.Cleanup(s.m.stop)
	s.send(tea.WindowSizeMsg{Width: width, Height: height})
	s.m.Init()
	s.settle()
	return s
}

func (s *stage) send(msg tea.Msg) tea.Cmd {
	s.Helper()
	_, cmd := s.m.Update(msg)
	s.look()
	return cmd
}

// settle takes in what the session says until it has nothing to do.
func (s *stage) settle() {
	s.Helper()
	s.until(func() bool { return s.m.busy == nil })
}

func (s *stage) until(is func() bool) {
	s.Helper()
	for !is() {
		if s.m.busy == nil { // as after a minute: see newStage
			s.Fatalf("waited in vain:\n%s", s.look())
		}
		s.send(s.m.stream.read())
	}
}

// press presses keys, such as "enter" or "b", one after the other, each when the session is idle.
func (s *stage) press(keys ...string) {
	s.Helper()
	for _, k := range keys {
		s.send(key(k))
		s.settle()
	}
}

func key(name string) tea.KeyPressMsg {
	special := map[string]rune{
		"enter": tea.KeyEnter, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "left": tea.KeyLeft, "right": tea.KeyRight,
		"up": tea.KeyUp, "down": tea.KeyDown, "home": tea.KeyHome, "end": tea.KeyEnd, "esc": tea.KeyEscape,
		"backspace": tea.KeyBackspace,
	}
	if code, is := special[name]; is {
		return tea.KeyPressMsg{Code: code}
	}
	if c, is := strings.CutPrefix(name, "ctrl+"); is {
		return tea.KeyPressMsg{Code: rune(c[0]), Mod: tea.ModCtrl}
	}
	if name == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	}
	return tea.KeyPressMsg{Code: rune(name[0]), Text: name}
}

// look returns what a person sees, and fails the test when that does not fit the screen.
func (s *stage) look() string {
	s.Helper()
	lines := strings.Split(s.m.View().Content, "\n")
	if len(lines) != s.m.height {
		s.Errorf("%d lines on a screen of %d:\n%s", len(lines), s.m.height, ansi.Strip(strings.Join(lines, "\n")))
	}
	for i, l := range lines {
		lines[i] = strings.TrimRight(ansi.Strip(l), " ")
		if w := ansi.StringWidth(l); w > s.m.width {
			s.Errorf("a line of %d columns on a screen of %d: %s", w, s.m.width, lines[i])
		}
	}
	return strings.Join(lines, "\n")
}

// sees fails the test unless the texts are on the screen, in this order.
func (s *stage) sees(texts ...string) {
	s.Helper()
	rest := s.look()
	for _, text := range texts {
		i := strings.Index(rest, text)
		if i < 0 {
			s.Fatalf("no %q in its position in\n%s", text, s.look())
		}
		rest = rest[i+len(text):]
	}
}

// files returns the names of what is in the work folder.
func (s *stage) files() string {
	s.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}
