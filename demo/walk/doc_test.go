package walk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// docExample is the complete example of docs/WALKS.md.
func docExample(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "WALKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "<!-- example: start -->\n````markdown\n")
	example, _, found := strings.Cut(rest, "````\n<!-- example: end -->")
	if !found {
		t.Fatal("the example of docs/WALKS.md is gone")
	}
	return example
}

func TestExampleOfTheManual(t *testing.T) {
	src := docExample(t)
	ctx := walktest.Context(t)
	ses, dir := newSession(t, src)
	if err := all(ctx, ses); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	// Every way through it, with back after every step.
	if err := ses.Do(ctx, Command{Action: ActionBegin}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range ses.Walk().Steps {
		before := tree(t, dir)
		if err := ses.Do(ctx, Command{Action: ActionNext}, nil); err != nil {
			t.Fatal(err)
		}
		if err := ses.Do(ctx, Command{Action: ActionBack}, nil); err != nil {
			t.Fatal(err)
		}
		if after := tree(t, dir); after != before {
			t.Errorf("step %d left %s, not %s", i+1, after, before)
		}
		if err := ses.Do(ctx, Command{Action: ActionNext}, nil); err != nil {
			t.Fatal(err)
		}
	}
	// A learner does it in another way: with another shell, from another folder.
	ses, dir = newSession(t, src)
	if err := ses.Do(ctx, Command{Action: ActionBegin}, nil); err != nil {
		t.Fatal(err)
	}
	if err := ses.Do(ctx, Command{Action: ActionCheck}, nil); err == nil {
		t.Error("the check holds before the step")
	}
	if err := os.WriteFile(filepath.Join(dir, "notes", "note.txt"), []byte("Ann will call back\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ses.Position() < len(ses.Walk().Steps) {
		if err := ses.Do(ctx, Command{Action: ActionComplete}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// tree lists all files with their texts.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		b.WriteString(path + " ")
		if !d.IsDir() {
			text, err := os.ReadFile(path)
			b.Write(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
