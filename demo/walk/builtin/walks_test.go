package builtin

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk"
)

// stageWidth is how long a typed line may be, so that a terminal of 72 columns does not break it.
const stageWidth = 72 - len("    $ ")

func TestWalksAreClean(t *testing.T) {
	files, err := fs.Glob(Files, "*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("walks: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			src, err := Files.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w, err := walk.Parse(file, src)
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range w.Lint() {
				t.Error(err)
			}
			diagrams := 0
			for _, b := range w.Intro {
				if b.Role == walk.Diagram {
					diagrams++
				}
			}
			if diagrams == 0 || w.Duration == 0 || len(w.Slides) == 0 {
				t.Error("a walk that ships has a diagram, a duration and slides")
			}
			for _, s := range w.Steps {
				forLearners(t, &s)
				for _, b := range s.Actions() {
					if b.Role == walk.Check && b.Label == "" {
						t.Errorf("line %d: a check on stage says in words what it waits for", b.Line)
					}
					if b.Role == walk.Check {
						continue // not shown
					}
					for _, c := range b.Commands {
						for _, l := range strings.Split(c.Text, "\n") {
							if len(l) > stageWidth {
								t.Errorf("line %d: %q is longer than %d", c.Line, l, stageWidth)
							}
						}
					}
				}
			}
		})
	}
}

// textWidth is how long a line of a text for learners may be.
const textWidth = 78

// explains matches commands that say by themselves what they wait for, and assignments, which do not fail.
var explains = regexp.MustCompile(`^(kubectl( -n \S+)? (wait|rollout status)|fluxdemo wait) |^\w+=("[^"]*"|\$\(.*\)|\S*)$`)

// forLearners checks that a step says to a learner what to do, how, and why it worked.
func forLearners(t *testing.T, s *walk.Step) {
	t.Helper()
	if len(s.Task()) != 1 || len(s.Why()) != 1 {
		t.Errorf("line %d: %q has %d tasks and %d whys, wanted one of each", s.Line, s.Title, len(s.Task()), len(s.Why()))
	}
	if hints := len(s.With(walk.Hint)); len(s.With(walk.Change)) > 0 && hints < 2 {
		t.Errorf("line %d: %q changes something and has %d hints: a nudge, and where to look", s.Line, s.Title, hints)
	}
	for _, b := range s.With(walk.Task, walk.Hint, walk.Why) {
		for i, l := range slices.Collect(strings.Lines(b.Text)) {
			if len(strings.TrimRight(l, "\n")) > textWidth {
				t.Errorf("line %d: %q is longer than %d", b.Line+i+1, l, textWidth)
			}
		}
	}
	for _, b := range s.Checks() {
		for _, c := range b.Commands {
			if c.Comment == "" && !explains.MatchString(c.Text) {
				t.Errorf("line %d: no comment above %q says what it means when it fails", c.Line, c.Text)
			}
		}
	}
}
