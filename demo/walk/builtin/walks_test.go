package builtin

import (
	"io/fs"
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
