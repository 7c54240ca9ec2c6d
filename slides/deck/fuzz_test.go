package deck

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"# T\n\nauthor\n:   A\n\n# S\n\n* a {::wait/}b\n{: .x walk=\"a#b\"}\n\n## Note\n\nn\n",
		"```mermaid\ngraph LR\nA-->B\n```\n{:\n  relative_height=\"60\"\n}\n", "[a][b] ![](c.png){:width='1'}\n\n[b]: https://d\n",
		"{::note}\n> {::comment}\n{:/}\n{: a\n", "|a|b|\n|-|-|\n|{::wait/}1|`2`|\n", "<div><b>x</div>\n<!-- \n# y\n", "âœ… \xff\x00 &amp; \\{ :tada:\n",
		"{:x: .y}\n\n* {:x} a\n{:x #z}\n", "a\n===\n~~~ sh\n# b\n~~~~\n", "{::tag name=\"x\"}{::note}a{:/}{:/tag}{::nope}{:/x}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := Parse("talk.md", []byte(text))
		if len(d.Slides) == 0 {
			t.Fatal("no slide at all")
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		ids := map[string]bool{}
		for i := range d.Slides {
			s := &d.Slides[i]
			if ids[s.ID] || s.ID == "" {
				t.Errorf("the ID %q is there twice, or empty", s.ID)
			}
			ids[s.ID] = true
			if html := s.HTML(HTMLOptions{}); !utf8.ValidString(html) || strings.Contains(html, "<script") {
				t.Errorf("html %q", html)
			}
			for _, n := range s.Notes {
				if n.Wait < 0 || n.Wait > s.Waits {
					t.Errorf("note after pause %d of %d", n.Wait, s.Waits)
				}
			}
			for _, g := range s.Diagrams {
				if g.Line < 1 || g.Line > lines {
					t.Errorf("diagram on line %d of %d", g.Line, lines)
				}
			}
		}
		for _, p := range d.Lint(LintOptions{}) {
			if p.Line < 1 || p.Line > lines || p.Col < 1 {
				t.Errorf("%v is outside of %d lines", p, lines)
			}
		}
	})
}

// nasty are texts that are hard to read in linear time, repeated until they have n bytes.
func nasty(n int) map[string]string {
	texts := map[string]string{"deep quote": strings.Repeat("> ", n/2), "one line": strings.Repeat("a", n)}
	for _, unit := range []string{
		"![", "**a ", "*a_ ", "[a](b", "- ", "{: ", "{:\"} ", "{::note}\n", "{::comment}\n", "<!--\n", "```a\n", "<div>", "&amp", "|a", ": ",
		"[a]: b\n", "{::wait/}a ", "\"' ", "a\n", "a  \n", "~~a", "<a ", ":a", "âœ…", "`` ` ", "# a\n", "a\n===\n\n", "<!--\n# a\n",
	} {
		texts[fmt.Sprintf("%q", unit)] = strings.Repeat(unit, n/len(unit))
	}
	// The same in pieces that are just short enough for a slide.
	for _, name := range keys(texts) {
		var b strings.Builder
		for rest := texts[name]; rest != ""; {
			size := min(len(rest), slideLimit-100)
			b.WriteString("# s\n\n" + rest[:size] + "\n\n")
			rest = rest[size:]
		}
		texts[name+" in slides"] = b.String()
	}
	return texts
}

// work is what it takes to read a text: the bytes that were looked at, and those that were allocated.
type work struct{ read, allocated float64 }

func workOf(text string) work {
	p := newParser("talk.md", []byte(text))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p.parse([]byte(text))
	runtime.ReadMemStats(&after)
	return work{float64(p.read), float64(after.TotalAlloc - before.TotalAlloc)}
}

// TestLinear reads hard texts of two sizes. Four times the text is four times the work; what grew by the square would
// be sixteen times as much.
func TestLinear(t *testing.T) {
	const size, most = slideLimit, 8.0
	small, large := nasty(size), nasty(4*size)
	for _, name := range keys(small) {
		first, second := workOf(small[name]), workOf(large[name])
		if grown := second.read / first.read; grown > most {
			t.Errorf("%s: of four times the text %.1f times as many bytes are read", name, grown)
		}
		if grown := second.allocated / first.allocated; grown > most {
			t.Errorf("%s: for four times the text %.1f times as many bytes are allocated", name, grown)
		}
	}
}

func TestTenMegabyteLine(t *testing.T) {
	line := strings.Repeat("x", 10<<20)
	for _, text := range []string{line, "# T\n\n# S\n\n" + line + "\n\n# Next\n\nfine\n", "# " + line, "```mermaid\n" + line + "\n```\n", strings.Repeat("[", 10<<20), "![](" + line + ")"} {
		p := newParser("talk.md", []byte(text))
		p.parse([]byte(text))
		d := p.deck
		for i := range d.Slides {
			if html := d.Slides[i].HTML(HTMLOptions{}); len(html) > 2*slideLimit {
				t.Errorf("%d bytes of HTML", len(html))
			}
		}
		if times := p.read / len(text); times > 20 {
			t.Errorf("it was read %d times", times)
		}
		if len(d.Problems) == 0 {
			t.Error("it was not reported")
		}
	}
}

// longDeck returns a deck of n slides with all that slides have.
func longDeck(n int) []byte {
	var b strings.Builder
	b.WriteString("# Long\n\nauthor\n:   A\n\n")
	for i := range n {
		fmt.Fprintf(&b, "# Slide %d\n\n* one *two* `three`\n* {::wait/}four\n  * [five][ref]\n\n```mermaid\nflowchart LR\nA((User)) --> B(Git Host) -- webhook --> C\n```\n{: relative_height=\"60\"}\n\n```go\nfunc main() { println(%d) }\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n## Note\n\nSay it.\n\n", i, i)
	}
	b.WriteString("[ref]: https://example.test\n")
	return []byte(b.String())
}

func BenchmarkParse300(b *testing.B) {
	text := longDeck(300)
	for b.Loop() {
		Parse("talk.md", text)
	}
}

func BenchmarkHTML300(b *testing.B) {
	d := Parse("talk.md", longDeck(300))
	for b.Loop() {
		for i := range d.Slides {
			d.Slides[i].HTML(HTMLOptions{})
		}
	}
}
