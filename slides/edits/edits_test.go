package edits

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestWatch replaces a file, as editors do.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed := make(chan string, 64)
	run, err := Watch(ctx, dir, func(file string) { changed <- file })
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run()
	}()
	file := filepath.Join(dir, "deck.md")
	for _, text := range []string{"# One\n", "# Two\n"} {
		if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		deadline := time.After(30 * time.Second)
		for seen := false; !seen; {
			select {
			case name := <-changed:
				seen = name == file
			case <-deadline:
				t.Fatal("the new file goes unnoticed")
			}
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("it does not end")
	}
}

// TestNoFolder says that there is nothing to watch.
func TestNoFolder(t *testing.T) {
	if _, err := Watch(t.Context(), filepath.Join(t.TempDir(), "none"), func(string) {}); err == nil {
		t.Error("it watches a folder that is not there")
	}
}
