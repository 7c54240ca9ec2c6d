package screen

import "testing"

func TestView(t *testing.T) {
	v := View([]string{"\x1b[1mA\u202e title\x1b[m", "a\x1b]0;x\a\x1b[2Jb"})
	if want := "\x1b[1mA title\x1b[m\nab"; v.Content != want || !v.AltScreen {
		t.Errorf("%q, full screen %v", v.Content, v.AltScreen)
	}
}
