package tap

import (
	"io"
	"strings"
	"testing"
)

// write writes to a tap, which never fails.
func write(t *testing.T, to io.Writer, text string) {
	t.Helper()
	if n, err := io.WriteString(to, text); err != nil || n != len(text) {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
	}
}

func TestTap(t *testing.T) {
	var tap Tap
	var handed strings.Builder
	hand := func(p []byte) { handed.Write(p) }
	write(t, &tap, "before any command\n")
	tap.Open(hand)
	write(t, &tap, "first\nsecond\n\n")
	if line := tap.LastLine(); line != "second" {
		t.Errorf("while it runs: %q", line)
	}
	if all := tap.Close(); all != "first\nsecond\n\n" || handed.String() != all {
		t.Errorf("kept %q, handed on %q", all, handed.String())
	}
	write(t, &tap, "between two commands\n")

	// A command that writes nothing leaves the line of the one before, until another block begins.
	tap.Open(hand)
	if line, all := tap.LastLine(), tap.Close(); line != "second" || all != "" {
		t.Errorf("a silent command: %q, %q", line, all)
	}
	tap.Forget()
	tap.Open(hand)
	if line := tap.LastLine(); line != "" {
		t.Errorf("another block: %q", line)
	}

	write(t, &tap, strings.Repeat("x", keep)+"\n")
	write(t, &tap, "the end\n")
	if all := tap.Close(); len(all) != keep || !strings.HasSuffix(all, "x\nthe end\n") {
		t.Errorf("of a long output it keeps %d bytes", len(all))
	}
}

// TestTerminal is about a command that means to change the terminal that it writes to.
func TestTerminal(t *testing.T) {
	var tap Tap
	var handed strings.Builder
	tap.Open(func(p []byte) { handed.Write(p) })
	for _, b := range []byte("\x1b[2J\x1b]0;x\a\x1b[?1049h\x1b[31m10 %\r20 %\u202e\n\xe2\x9c") {
		write(t, &tap, string([]byte{b}))
	}
	const want = "\x1b[31m10 %\r20 %\x1b[m\n"
	if handed.String() != want {
		t.Errorf("handed on %q", handed.String())
	}
	if all := tap.Close(); all != want+"\ufffd\ufffd" || handed.String() != all {
		t.Errorf("kept %q, handed on %q", all, handed.String())
	}
	// What a command has left unfinished hides nothing of the next one.
	tap.Open(func([]byte) {})
	write(t, &tap, "\x1b]0;")
	tap.Close()
	tap.Open(func([]byte) {})
	write(t, &tap, "text")
	if all := tap.Close(); all != "text" {
		t.Errorf("the next command: %q", all)
	}
}

func TestLastLine(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "\n \n": "", "a": "a", "a\nb": "b", "a\n  b \n\n": "b", "10 %\r20 %\r": "20 %", "a\r\nb\r\n": "b",
		"a\n\x1b[31mred\x1b[m\n\x1b[2J": "red",
	} {
		if got := LastLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
