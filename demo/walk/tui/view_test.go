package tui

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

func stageWalk(t *testing.T) string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", "stage.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// TestScreens goes through a walk and compares each screen with what it looked like when somebody liked it.
func TestScreens(t *testing.T) {
	for _, size := range [][2]int{{72, 20}, {120, 40}} {
		name := fmt.Sprintf("%dx%d", size[0], size[1])
		t.Run(name, func(t *testing.T) {
			s := newStage(t, size[0], size[1], stageWalk(t), Options{})
			var b strings.Builder
			shot := func(what string) {
				fmt.Fprintf(&b, "== %s %s\n%s\n", what, strings.Repeat("=", size[0]-len(what)-4), s.look())
			}
			shot("the beginning")
			s.press("enter")
			s.time = s.time.Add(30 * time.Second)
			shot("a step")
			s.press("enter")
			shot("a step that was run")
			s.time = s.time.Add(65 * time.Second)
			s.press("enter", "enter")
			shot("long output, long command, long heading")
			s.press("?")
			shot("help")
			s.press("x", "g", "3")
			shot("go to")
			s.press("esc", "enter", "enter")
			shot("a step that fails")
			s.time = s.time.Add(5 * time.Minute)
			s.press("n")
			shot("the end, too late")
			walktest.Golden(t, name+".golden", b.String())
		})
	}
}

// TestAnySizeFits draws every page on screens of all sizes; the stage fails the test where something sticks out.
func TestAnySizeFits(t *testing.T) {
	s := newStage(t, 72, 20, stageWalk(t), Options{})
	draw := func() {
		for _, full := range []bool{false, true} {
			s.m.full = full
			for _, w := range []int{1, 40, 72, 300} {
				for _, h := range []int{1, 7, 20, 30} {
					s.send(tea.WindowSizeMsg{Width: w, Height: h})
				}
			}
		}
	}
	draw()
	for range 6 { // up to the step that fails
		s.press("enter")
		draw()
	}
	for _, k := range []string{"?", "x", "n"} {
		s.press(k)
		draw()
	}
}

// TestNothingIsCut looks for every word of a long command and its output on a narrow screen.
func TestNothingIsCut(t *testing.T) {
	s := newStage(t, 72, 20, stageWalk(t), Options{})
	s.press("g", "2", "enter", "enter", "o", "home")
	seen := ""
	for s.m.top < s.m.lastTop() {
		seen += s.look() + "\n"
		s.press("down")
	}
	seen += s.look()
	for _, want := range []string{"64b2ecf2d3eec1c20c02d1b6", "app-1 ", "app-60 ", "--for=jsonpath='{.status.lastAppliedRevision}'", "\n      flux-system --timeout=60s"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in\n%s", want, seen)
		}
	}
	s.press("up", "up", "end", "o")
	s.sees("↑ ", "more lines", "✓ the page is there")
	s.press("home")
	s.sees("$ seq", "lines above, o shows all", "app-59", "↓ ")
}

func TestColours(t *testing.T) {
	s := newStage(t, 72, 20, stageWalk(t), Options{})
	s.press("enter", "enter")
	plain := s.look()
	looks := map[string]bool{s.m.View().Content: true}
	for _, dark := range []bool{true, false} {
		s.m.styles = stylesFor(dark)
		content := s.m.View().Content
		if looks[content] || s.look() != plain || content == ansi.Strip(content) {
			t.Errorf("dark %v: the colours are not its own, or the text is another", dark)
		}
		looks[content] = true
	}
}
