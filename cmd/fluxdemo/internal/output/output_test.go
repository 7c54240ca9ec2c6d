package output

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/creack/pty"
)

func TestClean(t *testing.T) {
	var below bytes.Buffer
	out := New(&below)
	fmt.Fprint(out, "\x1b[2J\x1b]0;x\a\x1b[31mred\x1b[m\u202e [y/N] ")
	if want := "\x1b[31mred\x1b[m [y/N] "; below.String() != want {
		t.Errorf("%q, want %q", below.String(), want)
	}
	if Below(out) != &below || Below(&below) != &below {
		t.Error("another writer is below")
	}
}

// TestTerminal is about terminals, and what is none and must not be drawn on.
func TestTerminal(t *testing.T) {
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer tty.Close()
	for term, want := range map[string]bool{"xterm": true, "dumb": false} {
		t.Setenv("TERM", term)
		if got, drawable := Terminal(New(tty)); drawable != want || (got == tty) != want {
			t.Errorf("TERM=%s: %v, %v", term, got, drawable)
		}
	}
	t.Setenv("TERM", "xterm")
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, below := range map[string]*Clean{"a file": New(file), "memory": New(&bytes.Buffer{})} {
		if tty, drawable := Terminal(below); drawable || tty != nil {
			t.Errorf("%s is a terminal", name)
		}
	}
}
