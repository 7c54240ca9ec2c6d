package stage

import "testing"

// TestTranscript writes what means to change the terminal, split inside a sequence and a letter.
func TestTranscript(t *testing.T) {
	var terminal transcript
	shown := ""
	for _, piece := range []string{"a\x1b[", "2Jb\x1b]0;x\a\xe2", "\x9c\x93\u202e\n", "\x1b[31mred\n"} {
		m := terminal.add([]byte(piece))
		if m.Offset != int64(len(shown)) {
			t.Errorf("%q is at %d, not at %d", m.Text, m.Offset, len(shown))
		}
		shown += m.Text
	}
	if want := "ab✓\n\x1b[31mred\x1b[m\n"; shown != want || terminal.all().Text != want {
		t.Errorf("shown %q, known %q", shown, terminal.all().Text)
	}
}
