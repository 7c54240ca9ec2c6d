package tui

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWrap(t *testing.T) {
	tests := []struct {
		line        string
		width, hang int
		want        []string
	}{
		{"", 10, 2, []string{""}},
		{"git push", 10, 2, []string{"git push"}},
		{"git commit -a -m x", 10, 2, []string{"git commit", "  -a -m x"}},
		{"  deep  line with  spaces", 12, 4, []string{"  deep  line", "    with", "    spaces"}},
		{"abcdefghijkl", 5, 2, []string{"abcde", "  fgh", "  ijk", "  l"}},
		{"wait abcdefghijkl", 8, 2, []string{"wait", "  abcdef", "  ghijkl"}},
		{"ääääää öö", 4, 0, []string{"ääää", "ää", "öö"}},
		{"日本語テキスト", 6, 2, []string{"日本語", "  テキ", "  スト"}},
		{"日本", 1, 0, []string{"日", "本"}}, // nothing fits, and nothing is lost
	}
	for _, tt := range tests {
		if got := wrap(tt.line, tt.width, tt.hang); !slices.Equal(got, tt.want) {
			t.Errorf("wrap(%q, %d, %d) = %q, want %q", tt.line, tt.width, tt.hang, got, tt.want)
		}
	}
}

func TestReveal(t *testing.T) {
	lines := []string{"git commit", "  -a ä"}
	var got []string
	for _, n := range []int{0, 3, 10, 11, 14, 99} {
		got = append(got, strings.Join(reveal(lines, n), "|"))
	}
	want := []string{"", "git", "git commit", "git commit|  -", "git commit|  -a ä", "git commit|  -a ä"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestClean(t *testing.T) {
	tests := map[string]string{
		"plain":                             "plain",
		"NAME\tREADY\tx":                    "NAME    READY   x",
		"\x1b[31mred\x1b[0m\x1b[2K":         "red",
		"10%\r50%\r100%, done.":             "100%, done.",
		"line\r":                            "line",
		"bell\a and \x00nothing":            "bell and nothing",
		"\x1b]0;title\a\x1b[10;10Hmoved":    "moved",
		"\u202eleft\u009b2J to \u200fright": "left to right",
	}
	for in, want := range tests {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOutputKeepsItsEnd(t *testing.T) {
	var o output
	for range keepLines {
		o.write("first\nsec")
		o.write("ond\n")
	}
	o.write("end")
	all := o.all()
	if len(all) != keepLines+1 || o.dropped != keepLines || all[len(all)-1] != "end" || all[len(all)-2] != "second" {
		t.Errorf("%d lines kept, %d dropped, the last is %q", len(all), o.dropped, all[len(all)-1])
	}
}

func TestTimes(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		400 * time.Millisecond: {"0:00", "0.4 s"},
		65 * time.Second:       {"1:05", "1 min 05 s"},
		3723 * time.Second:     {"1:02:03", "62 min 03 s"},
	} {
		if got := [2]string{clock(d), took(d)}; got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
