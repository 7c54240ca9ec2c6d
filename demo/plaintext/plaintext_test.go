package plaintext

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// hostile are texts, what Coloured makes of them, and what Text does if that differs.
var hostile = []struct{ name, in, coloured, text string }{
	{name: "text", in: "Grüße, 世界 👩‍💻\n\tend", coloured: "Grüße, 世界 👩‍💻\n\tend"},
	{name: "clear and home", in: "a\x1b[2J\x1b[Hb", coloured: "ab"},
	{name: "cursor", in: "a\x1b[3A\x1b[10;1H\x1b[Kb\x1b7c\x1b8", coloured: "abc"},
	{name: "title", in: "a\x1b]0;owned\ab\x1b]2;owned\x1b\\c", coloured: "abc"},
	{name: "title with other letters", in: "a\x1b]0;✓ 世界\ab", coloured: "ab"},
	{name: "clipboard", in: "a\x1b]52;c;cm0gLXJm\ab", coloured: "ab"},
	{name: "link", in: "\x1b]8;;https://example.org\x1b\\text\x1b]8;;\x1b\\", coloured: "text"},
	{name: "alternate screen", in: "\x1b[?1049ha\x1b[?1049l", coloured: "a"},
	{name: "device control", in: "a\x1bP$q\"p\x1b\\b\x1b_apc\x1b\\c\x1b^pm\x1b\\d\x1bXsos\x1b\\e", coloured: "abcde"},
	{name: "reset of the terminal", in: "a\x1bcb", coloured: "ab"},
	{name: "other character set", in: "a\x1b(0b\x0ec", coloured: "abc"},
	{name: "questions", in: "a\x1b[6n\x1b[c\x1b[>qb\x05", coloured: "ab"},
	{name: "keyboard settings end like colours", in: "a\x1b[>4;2mb\x1b[?4mc\x1b[1 md", coloured: "abcd"},
	{name: "C0", in: "a\x00\a\b\v\f\x7fb", coloured: "ab"},
	{name: "C1 as UTF-8", in: "a\u009b2Jb\u009d0;owned\u009cc\u0085d\u0080e", coloured: "abcde"},
	{name: "C1 as bytes", in: "a\x9b2J", coloured: "a\ufffd2J"},
	{name: "no UTF-8", in: "a\xff\xc3(\xe2\x9c", coloured: "a\ufffd\ufffd(\ufffd\ufffd"},
	{name: "surrogate", in: "\xed\xa0\x80", coloured: "\ufffd\ufffd\ufffd"},
	{name: "bidirectional", in: "a\u202e\u202a\u202b\u202c\u202d\u2066\u2067\u2068\u2069\u200e\u200f\u061cb", coloured: "ab"},
	{name: "not seen", in: "a\u200b\u2060\ufeff\u00ad\u2028\u2029\ufff9b", coloured: "ab"},
	{name: "tags", in: "a\U000e0001\U000e0041\U000e007fb", coloured: "ab"},
	{name: "part of scripts", in: "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0600\u0661 葛\U000e0100", coloured: "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u0600\u0661 葛\U000e0100"},
	{name: "colours", in: "\x1b[1;31mred\x1b[0m \x1b[38;5;8mgrey\x1b[m \x1b[38:2::1:2:3;4:3mx\x1b[m",
		coloured: "\x1b[1;31mred\x1b[m \x1b[38;5;8mgrey\x1b[m \x1b[38:2::1:2:3;4:3mx\x1b[m", text: "red grey x"},
	{name: "colours end with the line", in: "\x1b[31mred\nstill?", coloured: "\x1b[31mred\x1b[m\nstill?", text: "red\nstill?"},
	{name: "colours end with the text", in: "\x1b[31mred", coloured: "\x1b[31mred\x1b[m", text: "red"},
	{name: "conceal", in: "a\x1b[8mb\x1b[1;8mc\x1b[5md", coloured: "abcd"},
	{name: "a colour of that number", in: "\x1b[48;2;8;8;8ma\x1b[m", coloured: "\x1b[48;2;8;8;8ma\x1b[m", text: "a"},
	{name: "no colours", in: "a\x1b[999mb\x1b[99999999999999999999mc" + "\x1b[" + strings.Repeat("1;", 50) + "1md", coloured: "abcd"},
	{name: "progress", in: "10 %\r20 %\r\nend\r\r\n", coloured: "10 %\n20 %\nend\n"},
	{name: "carriage return over text", in: "harmful\rharmless", coloured: "harmful\nharmless"},
	{name: "sequence without an end", in: "a\x1b]0;owned\nb\x1b[31", coloured: "a\nb"},
	{name: "sequence broken by text", in: "a\x1b[3é1m", coloured: "aé1m"},
	{name: "cancelled", in: "a\x1b[3\x18b\x1b]0;x\x1ac", coloured: "abc"},
	{name: "sequence in a sequence", in: "\x1b[\x1b[31mred\x1b[2\x1b[mJ", coloured: "\x1b[31mred\x1b[mJ", text: "redJ"},
}

func TestColouredAndText(t *testing.T) {
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			if got := Coloured(test.in); got != test.coloured {
				t.Errorf("coloured: %q, want %q", got, test.coloured)
			}
			want := test.text
			if want == "" {
				want = test.coloured
			}
			if got := Text(test.in); got != want {
				t.Errorf("text: %q, want %q", got, want)
			}
			if got := Coloured(test.coloured); got != test.coloured {
				t.Errorf("a second time: %q", got)
			}
		})
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a\nb\tc\n": "a b c", "\x1b[31mred\x1b[m\r\n": "red", "a\r\nb": "a b", "\u202eevil": "evil",
	} {
		if got := Line(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLast(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "a", "10 %\r20 %": "20 %", "10 %\r20 %\r": "20 %", "a\r\r": "a"} {
		if got := Last(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestSplit writes each text byte by byte, and in two pieces split everywhere.
func TestSplit(t *testing.T) {
	for _, test := range hostile {
		for at := range len(test.in) + 1 {
			var out bytes.Buffer
			w := NewWriter(&out)
			put(t, w, test.in[:at])
			put(t, w, test.in[at:])
			if err := w.Flush(); err != nil || out.String() != test.coloured {
				t.Errorf("%s, split at %d: %q, %v", test.name, at, out.String(), err)
			}
		}
		var out bytes.Buffer
		w := NewWriter(&out)
		for i := range len(test.in) {
			put(t, w, test.in[i:i+1])
		}
		if err := w.Flush(); err != nil || out.String() != test.coloured {
			t.Errorf("%s, in bytes: %q, %v", test.name, out.String(), err)
		}
	}
}

func put(t *testing.T, w *Writer, text string) {
	t.Helper()
	if n, err := w.Write([]byte(text)); err != nil || n != len(text) {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(text), err)
	}
}

// TestAtOnce is about prompts, which have no line end.
func TestAtOnce(t *testing.T) {
	var out bytes.Buffer
	put(t, NewWriter(&out), "Continue? [y/N] ")
	if out.String() != "Continue? [y/N] " {
		t.Errorf("shown %q", out.String())
	}
}

func TestEndlessSequence(t *testing.T) {
	for _, start := range []string{"\x1b]0;", "\x1bP", "\x1b[", "\x1b_"} {
		var f Filter
		out := f.Append(nil, []byte(start))
		piece := []byte(strings.Repeat("1", 1<<10))
		for range 16 {
			out = f.Append(out, piece)
		}
		if hidden := 16<<10 - len(out); hidden > longestSequence {
			t.Errorf("%q hides %d characters", start, hidden)
		}
		if len(f.part) > utf8.UTFMax {
			t.Errorf("%q: %d bytes are held back", start, len(f.part))
		}
	}
}

func TestOverwriting(t *testing.T) {
	f := Filter{Overwriting: true}
	if got := string(f.Append(nil, []byte("10 %\r20 %\r\n\x1b[2K"))); got != "10 %\r20 %\r\n" {
		t.Errorf("progress: %q", got)
	}
	out := f.Flush(f.Append(nil, bytes.Repeat([]byte("é\r"), LongestLine)))
	for line := range bytes.SplitSeq(out, []byte("\n")) {
		if len(line) > LongestLine {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if lines := bytes.Count(out, []byte("\n")); lines != 3 {
		t.Errorf("%d line ends", lines)
	}
}

func TestJSONAndYAML(t *testing.T) {
	const evil = "\x1b[2J \u009b \u202e \u2028 \U000e0041 \x7f é 👩‍💻 \x00"
	data, err := json.Marshal(map[string]string{evil: evil})
	if err != nil {
		t.Fatal(err)
	}
	got := JSON(data)
	if clean := Coloured(string(got)); clean != string(got) {
		t.Errorf("the filter changes %s to %s", got, clean)
	}
	var back map[string]string
	if err := json.Unmarshal(got, &back); err != nil || back[evil] != evil {
		t.Errorf("%s is %q: %v", got, back, err)
	}
	asYAML := YAML(data)
	if clean := Coloured(string(asYAML)); clean != string(asYAML) {
		t.Errorf("the filter changes %s to %s", asYAML, clean)
	}
	back = nil
	if err := yaml.Unmarshal(asYAML, &back); err != nil || back[evil] != evil {
		t.Errorf("%s is %q: %v", asYAML, back, err)
	}
	for same := range map[string]bool{"{\n\t\"a\": \"é\"\n}\n": true, "no JSON": true} {
		if got := string(JSON([]byte(same))); got != same {
			t.Errorf("%q became %q", same, got)
		}
	}
	if got := string(JSON([]byte("\"\xff\""))); got != `"\ufffd"` {
		t.Errorf("no UTF-8: %q", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, bytes.ErrTooLarge }

func TestWriterReportsErrors(t *testing.T) {
	w := NewWriter(broken{})
	if n, err := w.Write([]byte("a")); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
	}
}

// FuzzFilter holds that only text and colours pass, that a second filter changes nothing, and that a stream gives the
// same however it is split.
func FuzzFilter(f *testing.F) {
	for i, test := range hostile {
		f.Add([]byte(test.in), uint(i))
	}
	f.Fuzz(func(t *testing.T, in []byte, at uint) {
		for _, of := range []Filter{{}, {Colourless: true}, {Overwriting: true}} {
			whole, split, again := of, of, of
			out := whole.Flush(whole.Append(nil, in))
			check(t, out, of)
			if second := again.Flush(again.Append(nil, out)); !bytes.Equal(second, out) {
				t.Errorf("%+v: %q, a second time %q", of, out, second)
			}
			n := int(at % uint(len(in)+1))
			pieces := split.Append(split.Append(nil, in[:n]), in[n:])
			if len(split.part) >= utf8.UTFMax {
				t.Errorf("%d bytes are held back", len(split.part))
			}
			if pieces = split.Flush(pieces); !bytes.Equal(pieces, out) {
				t.Errorf("%+v: %q, split at %d %q", of, out, n, pieces)
			}
		}
	})
}

// check fails if anything but text and colours is in out.
func check(t *testing.T, out []byte, of Filter) {
	t.Helper()
	if !utf8.Valid(out) {
		t.Errorf("no UTF-8: %q", out)
	}
	rest := string(out)
	for rest != "" {
		if end := colour(rest); end > 0 && !of.Colourless {
			rest = rest[end:]
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		if hidden(r) && r != '\n' && r != '\t' && (r != '\r' || !of.Overwriting) {
			t.Errorf("%U in %q", r, out)
		}
		rest = rest[n:]
	}
}

// colour returns the length of the sequence of colours that s begins with; 0 if it begins with something else.
func colour(s string) int {
	args, is := strings.CutPrefix(s, "\x1b[")
	if !is {
		return 0
	}
	end := strings.IndexFunc(args, func(r rune) bool { return !strings.ContainsRune("0123456789:;", r) })
	if end < 0 || args[end] != 'm' {
		return 0
	}
	return len("\x1b[") + end + len("m")
}
