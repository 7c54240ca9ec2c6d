package walk

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// step is a whole step, so that a bad one is the only mistake in its file.
const step = "## First\n```sh look\necho\n```\n```sh check\ntrue\n```\n"

func TestParse(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "complete.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]string{
		"unix":    string(src),
		"windows": strings.ReplaceAll(string(src), "\n", "\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			w, err := Parse("testdata/complete.md", []byte(src))
			if err != nil {
				t.Fatal(err)
			}
			if w.Name != "complete" || w.Title != "A complete walk" || w.Duration != 90*time.Second ||
				!slices.Equal(w.Needs, []string{"gitops"}) || !slices.Equal(w.Slides, []string{"What is GitOps?"}) {
				t.Errorf("front matter: %+v", w)
			}
			if len(w.Intro) != 2 || w.Intro[0].Role != Prose || w.Intro[1].Role != Diagram {
				t.Errorf("intro: %+v", w.Intro)
			}
			if w.Setup == nil || len(w.Setup.Actions()) != 1 || w.Cleanup == nil || len(w.Steps) != 2 {
				t.Fatalf("sections: %+v", w)
			}
			one := w.Steps[0]
			if one.Number != 1 || one.ID != "say-hello" || one.Title != "Say `hello`" {
				t.Errorf("first step: %+v", one)
			}
			var roles []Role
			for _, b := range one.Blocks {
				roles = append(roles, b.Role)
			}
			if want := []Role{Prose, Prose, Listing, Change, Look, Check, Hint, Undo}; !slices.Equal(roles, want) {
				t.Errorf("roles %v, want %v", roles, want)
			}
			change := one.With(Change)[0]
			var texts []string
			for _, c := range change.Commands {
				texts = append(texts, c.Text)
				if got := lineOf(src, firstLine(c.Text)); got != c.Line {
					t.Errorf("%q on line %d, want %d", c.Text, c.Line, got)
				}
			}
			want := []string{"who=world", "cat > hello.txt <<EOF\nhello $who\nEOF", "test -s hello.txt &&\n  echo written"}
			if !slices.Equal(texts, want) {
				t.Errorf("commands %q, want %q", texts, want)
			}
			check := one.Checks()[0]
			if check.Timeout != 5*time.Second || check.Label != "the file is there" || change.Timeout != time.Minute {
				t.Errorf("check %+v, change's timeout %v", check, change.Timeout)
			}
			if got := one.Blocks[0].Paragraphs(); len(got) != 1 || got[0].Text != "Say hello with `cat`, see the manual." {
				t.Errorf("prose %+v", got)
			}
			if got := one.Blocks[1].Paragraphs(); len(got) != 2 || got[1] != (Paragraph{"- ", "two"}) {
				t.Errorf("list %+v", got)
			}
		})
	}
}

func lineOf(src, text string) int {
	for i, l := range strings.Split(src, "\n") {
		if strings.TrimSpace(l) == text {
			return i + 1
		}
	}
	return 0
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		name, src string
		want      []string // without "bad.md:"
	}{
		{"empty", "", []string{"1:1: a walk starts with front matter"}},
		{"no front matter", "# Title\n" + step, []string{"1:1: a walk starts with front matter"}},
		{"front matter not closed", "---\ntitle: x\n# T\n", []string{"1:1: the front matter is not closed"}},
		{"front matter is no map", "---\n- a\n---\n# A walk\n" + step, []string{"2:1: front matter must be a list of key"}},
		{"front matter is no YAML", "---\ntitle: x\n  a: b: c\n---\n# x\n" + step, []string{"3:1: front matter: mapping values"}},
		{"unknown key", "---\ntitle: A walk\ncolour: red\n---\n# A walk\n" + step, []string{`3:1: unknown key "colour"`}},
		{"doubled key", "---\ntitle: A walk\ntitle: B\n---\n# A walk\n" + step, []string{"3:1: title is set twice"}},
		{"bad duration", "---\nduration: soon\n---\n# A\n" + step, []string{`2:11: duration "soon" is not a time`}},
		{"needs no list", "---\nneeds: gitops\n---\n# A\n" + step, []string{"2:8: this must be a list"}},
		{"needs no name", "---\nneeds: [Git Ops]\n---\n# A\n" + step, []string{`2:9: "Git Ops" is not a valid name for a walk`}},
		{"titles differ", "---\ntitle: B\n---\n# A walk\n" + step, []string{"4:1: the heading \"A walk\" and the front matter's title \"B\" differ"}},
		{"no title", "---\n---\n" + step, []string{"1:1: the walk has no title"}},
		{"two titles", walktest.Front + step + "# A walk\n", []string{"12:1: a second title"}},
		{"late title", "---\n---\n" + step + "# A walk\n", []string{"10:1: the title must come before the steps"}},
		{"no steps", walktest.Front, []string{"1:1: the walk has no steps"}},
		{"doubled step", walktest.Front + step + step, []string{"12:1: a step with this title is on line 5 already"}},
		{"no check", walktest.Front + "## Bare\n```sh look\necho\n```\n", []string{`5:1: step "Bare" has no check`}},
		{"empty step", walktest.Front + "## Bare\nWords.\n", []string{`5:1: step "Bare" has no check`}},
		{"unchecked", walktest.Front + step + "```sh look\necho\n```\n", []string{"12:1: nothing checks what this block does"}},
		{"no undo", walktest.Front + "## One\n```sh\ntouch x\n```\n```sh check\ntest -e x\n```\n", []string{`6:1: step "One" changes something and has no undo`}},
		{"idle undo", walktest.Front + step + "```sh undo\necho\n```\n", []string{"12:1: step \"First\" changes nothing, so there is nothing to undo"}},
		{"unknown attribute", walktest.Front + step + "```sh chekc timeout=3s\ntrue\n```\n",
			[]string{"12:1: step", "12:1: nothing checks", `12:7: unknown attribute "chekc"`}},
		{"always of no check", walktest.Front + step + "```sh look always\ntrue\n```\n```sh check\ntrue\n```\n", []string{"12:4: only a check can be always"}},
		{"nothing but always", walktest.Front + "## A\n```sh\ntrue\n```\n```sh check always\ntrue\n```\n```sh undo\ntrue\n```\n", []string{`9:1: all checks of step "A" are always`}},
		{"solve of nothing", walktest.Front + "## A\n```sh look\ntrue\n```\n```sh check\ntrue\n```\n```sh solve\ntrue\n```\n", []string{`12:1: step "A" changes nothing, so there is nothing to solve`}},
		{"solve of the setup", walktest.Front + "## Setup\n```sh solve\ntrue\n```\n```sh\ntrue\n```\n" + step, []string{"6:1: Setup cannot have a block solve"}},
		{"unknown option", walktest.Front + "## A\n```sh check retries=\"3\"\ntrue\n```\n", []string{`6:13: unknown attribute "retries=3"`}},
		{"doubled attribute", walktest.Front + "## A\n```sh check timeout=3s timeout=4s\ntrue\n```\n", []string{"6:24: timeout is set twice"}},
		{"two roles", walktest.Front + "## A\n```sh check undo\ntrue\n```\n", []string{"6:13: a block cannot be both check and undo"}},
		{"bad timeout", walktest.Front + "## A\n```sh check timeout=-3s\ntrue\n```\n", []string{`6:13: timeout "-3s" is not a time`}},
		{"open quote", walktest.Front + "## A\n```sh check label=\"a\ntrue\n```\n", []string{"6:19: the quote is not closed"}},
		{"empty label", walktest.Front + "## A\n```sh check label=\"\"\ntrue\n```\n", []string{"6:13: label is empty"}},
		{"wrong language", walktest.Front + step + "```yaml check\na: b\n```\n", []string{`12:4: blocks in the language "yaml" do not run`}},
		{"not a language of ours", walktest.Front + step + "```zsh\necho\n```\n", []string{`12:4: blocks in the language "zsh" do not run`}},
		{"not closed", walktest.Front + step + "```sh look\necho\n", []string{"12:1: the block is not closed: end it"}},
		{"not closed, no language", walktest.Front + step + "```\necho\n", []string{"12:1: the block is not closed: end it"}},
		{"not closed, one more", walktest.Front + "## A\n```sh look\necho\n```sh check\ntrue\n```\n",
			[]string{"5:1: step \"A\" has no check", "6:1: the block is not closed: line 8 starts another one"}},
		{"no command", walktest.Front + "## A\n```sh check\n# only words\n```\n", []string{"6:1: the block has no command"}},
		{"bad shell", walktest.Front + "## A\n```sh check\ntrue\necho 'x\n```\n", []string{"8:6: shell: reached EOF without closing quote"}},
		{"bad shell, indented", walktest.Front + "## A\n  ```sh check\n  true\n  if true; fi\n  ```\n", []string{"8:12: shell: `fi` can only"}},
		{"not in every shell", walktest.Front + "## A\n```sh check\na=(1 2)\n```\n", []string{"7:3: shell: "}},
		{"background", walktest.Front + "## A\n```sh check\ntrue\nsleep 5 &\n```\n", []string{"8:9: a command in the background"}},
		{"in a list", walktest.Front + step + "- one\n\n  ```sh look\n  echo\n  ```\n", []string{"14:6: a block that runs must not be inside a list"}},
		{"commands too early", walktest.Front + "```sh look\necho\n```\n" + step, []string{"5:1: commands must be under a ## heading"}},
		{"late setup", walktest.Front + step + "## Setup\n```sh\ntrue\n```\n", []string{"12:1: Setup must come before the first step"}},
		{"early cleanup", walktest.Front + "## Cleanup\n```sh\ntrue\n```\n" + step, []string{"9:1: Cleanup must be the last heading"}},
		{"undo in setup", walktest.Front + "## Setup\n```sh\ntrue\n```\n```sh undo\ntrue\n```\n" + step, []string{"9:1: Setup cannot have a block undo"}},
		{"empty setup", walktest.Front + "## Setup\nWords.\n" + step, []string{"5:1: Setup has no command"}},
		{"empty heading", walktest.Front + step + "##\n", []string{"12:1: the heading is empty"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, err := Parse("bad.md", []byte(tt.src))
			if err == nil || w != nil {
				t.Fatalf("Parse gives %+v, %v", w, err)
			}
			got := strings.Split(err.Error(), "\n")
			slices.Sort(got)
			want := slices.Clone(tt.want)
			slices.Sort(want)
			if len(got) != len(want) {
				t.Fatalf("got  %q\nwant %q", got, want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], "bad.md:"+want[i]) {
					t.Errorf("got  %q\nwant %q", got[i], want[i])
				}
			}
			var bad *SyntaxError
			if !errors.As(err, &bad) || bad.Line < 1 || bad.Col < 1 {
				t.Errorf("no SyntaxError in %#v", err)
			}
		})
	}
}

func TestParseName(t *testing.T) {
	if _, err := Parse("My Walk.md", []byte(walktest.Front+step)); err == nil || !strings.HasPrefix(err.Error(), "My Walk.md:1:1: ") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{filepath.Join("testdata", "complete.md"), filepath.Join("builtin", "gitops.md")} {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Add(walktest.Front + step + "> ```sh look\n> echo\n")
	f.Add("---\n\n---\n\n```\n")
	f.Fuzz(func(t *testing.T, src string) {
		w, err := Parse("fuzz.md", []byte(src))
		if (w == nil) == (err == nil) {
			t.Fatalf("both or neither: %+v, %v", w, err)
		}
		lines := strings.Count(src, "\n") + 1
		if err != nil {
			joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // what Parse returns, and nothing below it
			if !ok {
				t.Fatalf("not joined: %v", err)
			}
			for _, e := range joined.Unwrap() {
				var bad *SyntaxError
				if !errors.As(e, &bad) || bad.Line < 1 || bad.Line > lines || bad.Col < 1 || bad.Msg == "" {
					t.Fatalf("%+v in a file of %d lines", bad, lines)
				}
			}
			return
		}
		for _, s := range w.Steps {
			if len(s.Checks()) == 0 || s.Line < 1 || s.Line > lines {
				t.Fatalf("step %+v", s)
			}
			for _, b := range s.Blocks {
				b.Paragraphs()
				for _, c := range b.Commands {
					if c.Line < 1 || c.Line > lines || c.Text == "" {
						t.Fatalf("command %+v", c)
					}
				}
			}
		}
	})
}
