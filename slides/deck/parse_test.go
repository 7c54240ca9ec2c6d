package deck

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestTitleSlide(t *testing.T) {
	d := Parse("talk.md", []byte("\ufeff# My *talk*\r\n\r\nsubtitle\r\n:   About\r\n\r\nallotted-time\r\n:   1h30m\r\n\r\nstart_time\r\n:   2023-07-25T14:00:00-04:00\r\n\r\ncontent-source\r\n:   here\r\n\r\nMore\r\n"))
	m := d.Meta
	if d.Title != "My talk" || m.Subtitle != "About" || m.AllottedTime != 90*time.Minute || m.StartTime.UTC().Hour() != 18 || m.Other["content-source"] != "here" {
		t.Errorf("%q %+v", d.Title, m)
	}
	want := `<h1>My <em>talk</em></h1><p class="subtitle">About</p><p>More</p>`
	if html := d.Slides[0].HTML(HTMLOptions{}); html != want {
		t.Errorf("%s, want %s", html, want)
	}
}

func TestSlideParts(t *testing.T) {
	d := Parse("talk.md", []byte(`# Talk

# A slide {#its-id}
{: walk="gitops" .wide}

* a
* {::wait/}b

{::note}
said with *b*
{:/note}

{::wait/}c

## Note

first

* {::wait/}second
* {::wait/}third

## Properties

background-image
:   back.png

## Sizes

c
:   d

## More

Shown.

# A slide
{: walk="ga#on-your-marks-push"}

x

{: walk="sharding" coming="true"}
y

# 日本語

x
{: walk="sharding#split" coming="true"}
`))
	s := d.Slide("its-id")
	if s == nil || s.Title != "A slide" || s.Walk.String() != "gitops" || s.Waits != 2 {
		t.Fatalf("slides %+v", d.Slides)
	}
	var notes []string
	for _, n := range s.Notes {
		notes = append(notes, fmt.Sprint(n.Wait, " ", strings.ReplaceAll(n.Text(), "\n", "|")))
	}
	if want := []string{"0 first", "1 said with b|second", "2 third"}; !reflect.DeepEqual(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
	if html := s.Notes[1].HTML(HTMLOptions{}); !strings.HasPrefix(html, "<p>said with <em>b</em></p><ul><li>second") {
		t.Errorf("note %s", html)
	}
	if want := map[string]string{"class": "wide", "background-image": "back.png", "c": "d"}; !reflect.DeepEqual(s.Properties, want) {
		t.Errorf("properties %v, want %v", s.Properties, want)
	}
	if html := s.HTML(HTMLOptions{}); !strings.HasSuffix(html, `class="fragment">More</h3><p data-fragment-index="1" class="fragment">Shown.</p>`) || strings.Contains(html, "back.png") {
		t.Errorf("html %s", html)
	}
	if want := []string{"back.png"}; !reflect.DeepEqual(d.Assets(), want) {
		t.Errorf("assets %v", d.Assets())
	}
	if s := d.Slide("a-slide"); s == nil || s.Walk.String() != "ga#on-your-marks-push" || s.Coming.Walk != "" {
		t.Errorf("second slide %+v", s)
	}
	last := d.Slides[len(d.Slides)-1]
	if last.ID != "日本語" || last.Walk.Walk != "" || last.Coming.String() != "sharding#split" || !strings.Contains(last.HTML(HTMLOptions{}), `<p class="coming">Coming: the walk <code>sharding#split</code></p>`) {
		t.Errorf("last slide %+v", last)
	}
}

func TestIDs(t *testing.T) {
	d := Parse("talk.md", []byte("# A\n# A\n# A 2\n# A\n#\n# ---\n# "+strings.Repeat("ä", 100)))
	var ids []string
	for _, s := range d.Slides {
		ids = append(ids, s.ID)
	}
	want := []string{"a", "a-2", "a-2-2", "a-3", "slide", "slide-2", strings.Repeat("ä", 30)}
	if !reflect.DeepEqual(ids, want) {
		t.Errorf("%q, want %q", ids, want)
	}
}

func TestSlidesAreSplit(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"before\n\n# A", []string{"", "A"}},
		{"A\n=\n\nB\n===\n\nc\n\nnot\none\n===", []string{"A", "B"}},
		{"# A\n```\n# b\n\n# c\n```\n# D", []string{"A", "D"}},
		{"# A\n~~~~\n# b\n~~~\n# c\n~~~~\n# D", []string{"A", "D"}},
		{"# A\n````\n```\n\n# b\n```\n````\n# D", []string{"A", "D"}},
		{"# A\n    # b\n# C", []string{"A", "C"}},
		{"# A\n<!--\n# b\n-->\n# C", []string{"A", "C"}},
		{"# A\n<pre>\n# b\n</pre>\n# C", []string{"A", "C"}},
		{"# A\n{::comment}\n# b\n{:/comment}\n# C", []string{"A", "C"}},
		{"# A\n* b\n\n  ```\n  # c\n  ```\n# D", []string{"A", "D"}},
		{"# A\n#b\n## C\n# D", []string{"A", "D"}},
		{"# A\n\n{: walk=\"x\"}\n# B\n", []string{"A", "B"}},
	} {
		var got []string
		for _, s := range Parse("talk.md", []byte(test.text)).Slides {
			got = append(got, s.Title)
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
	}
}

func TestSidecar(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "talk.md")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("talk.md", "# Talk\n\n# S\n\na\n\n{::wait/}b\n\n```mermaid\ngraph LR\nA-->B\n```\n{: bind-A=\"user\" bind-B=\"git\"}\n\n# T\n\nx\n")
	write("talk.walks.yaml", "slides:\n  s: {walk: 'ga#push', wait: 1}\n  t: {walk: sharding, coming: true}\ndiagrams:\n  s-1:\n    bind:\n      B: none\n")
	d, err := Load(file)
	if err != nil || len(d.Problems) > 0 {
		t.Fatal(err, d.Problems)
	}
	s := d.Slide("s")
	if s.Walk.String() != "ga#push" || s.Walk.Wait != 1 || !reflect.DeepEqual(s.Diagrams[0].Bind, map[string]string{"A": "user", "B": "none"}) {
		t.Errorf("%+v", s)
	}
	if s := d.Slide("t"); s.Coming.String() != "sharding" || s.Walk.Walk != "" {
		t.Errorf("%+v", s)
	}
	for text, want := range map[string]string{
		"slides:\n  none: {walk: a}\n":            `:2:3: error: there is no slide "none"`,
		"slides:\n  s: {walk: ../a}\n":            `:2:6: error: "../a" is not the name of a walk`,
		"slides:\n  s: {walk: a, wait: 2}\n":      ":2:22: error: wait must be a number of pauses; the slide has 1",
		"slides: [a]\n":                           ":1:9: error: this must be a list of key: value lines",
		"diagrams:\n  s-2: {bind: {A: user}}\n":   `:2:3: error: there is no diagram "s-2"`,
		"diagrams:\n  s-1: {bind: {A: [user]}}\n": ":2:19: error: a target must be a text",
		"slides:\n  s: {\n":                       ":2:1: error: ",
		"what: x\n":                               `:1:1: error: unknown key "what"`,
	} {
		write("talk.walks.yaml", text)
		d, err := Load(file)
		if err != nil || len(d.Problems) != 1 || !strings.HasPrefix(d.Problems[0].String(), SidecarFile(file)+want) {
			t.Errorf("%q: %v %v, want %s", text, err, d.Problems, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.md")); err == nil {
		t.Error("a deck that is not there was read")
	}
}

func TestAssetsStayInTheFolder(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.png")
	folder := filepath.Join(dir, "deck")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		secret: "secret", filepath.Join(folder, "a.png"): "a",
		filepath.Join(folder, "talk.md"): "# T\n\n![](a.png) ![](link.png) ![](../secret.png) ![](.git/x.png) <img src=\"%2e%2e/secret.png\">\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(folder, "link.png")); err != nil {
		t.Fatal(err)
	}
	d, err := Load(filepath.Join(folder, "talk.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a.png", "link.png"}; !reflect.DeepEqual(d.Assets(), want) {
		t.Errorf("assets %v, want %v", d.Assets(), want)
	}
	if len(d.Problems) != 4 {
		t.Errorf("problems %v", d.Problems)
	}
	if f, err := d.OpenAsset("a.png"); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	for _, name := range []string{"link.png", "../secret.png", secret, "talk.md", ""} {
		if f, err := d.OpenAsset(name); err == nil {
			f.Close()
			t.Errorf("%s was opened", name)
		}
	}
}
