package progress

import (
	"bytes"
	"strings"
	"testing"
)

// TestHostile is about the name of a step that means to change the terminal.
func TestHostile(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	p.Start("evil\x1b[2J\x1b]0;x\a\n\u202ename")(nil)
	p.Close()
	if got := out.String(); !strings.HasPrefix(got, "✓ evil name ") || strings.ContainsAny(got, "\x1b\a\u202e") {
		t.Errorf("%q", got)
	}
}
