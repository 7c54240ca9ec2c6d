package deck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExampleOfTheManual reads the complete example of docs/DECKS.md.
func TestExampleOfTheManual(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "DECKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "<!-- example: start -->\n````markdown\n")
	example, _, found := strings.Cut(rest, "````\n<!-- example: end -->")
	if !found {
		t.Fatal("the example of docs/DECKS.md is gone")
	}
	d := Parse("example.md", []byte(example))
	if problems := d.Lint(LintOptions{}); len(problems) > 0 {
		t.Errorf("mistakes: %v", problems)
	}
	if d.Meta.AllottedTime != 5*time.Minute || len(d.Slides) != 3 {
		t.Fatalf("%+v", d)
	}
	way, last := d.Slides[1], d.Slides[2]
	if way.Walk.Walk != "gitops" || way.Walk.Step != "change-the-colour-and-push" || way.Waits != 1 || len(way.Diagrams) != 1 || len(way.Notes) != 1 {
		t.Errorf("%+v", way)
	}
	if last.Waits != 1 || last.ID != "to-remember" {
		t.Errorf("%+v", last)
	}
}
