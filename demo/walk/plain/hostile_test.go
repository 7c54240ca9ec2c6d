package plain

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// hostile is a walk whose texts and commands mean to change the terminal.
const hostile = "---\ntitle: A\u202e walk\n---\n# A\u202e walk\n## One\x1b[2J\n\nText\x1b]0;x\a.\n\n" +
	"```sh\nprintf '\\033[2J\\033]0;x\\a\\033[?1049h\\033[31mred\\033[8m\\nnext\\342\\200\\256\\n'\n```\n" +
	"```sh check label=\"it\u0085 holds\" timeout=20s\nprintf 'not \\033[Hyet\\n'; false\n```\n" +
	"```sh undo\ntrue\n```\n"

// TestHostile runs a hostile walk on a terminal that knows colours, and with a recording.
func TestHostile(t *testing.T) {
	ses, _ := newSession(t, hostile)
	var out, record bytes.Buffer
	s := NewScreen(&out, []string{"TERM=xterm-256color", "CLICOLOR_FORCE=1"})
	s.Record(&record)
	if err := Interactive(walktest.Context(t), ses, s, strings.NewReader("\n\x1b[2J\nq\n")); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"terminal": out.String(), "recording": record.String()} {
		for _, no := range []string{"\x1b[2J", "\x1b]", "\x1b[?", "\x1b[H", "\x1b[8m", "\u202e", "\u0085", "\a"} {
			if strings.Contains(got, no) {
				t.Errorf("the %s got %q", name, no)
			}
		}
		for _, want := range []string{"One", "Text.", "red", "next", "not yet", "it holds", "\x1b[31m"} {
			if !strings.Contains(got, want) {
				t.Errorf("the %s lacks %q in %q", name, want, got)
			}
		}
	}
}
