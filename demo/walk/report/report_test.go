package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/plain"
	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

func TestReport(t *testing.T) {
	ses := newSession(t, walktest.Fails)
	var lines, junit bytes.Buffer
	r := New(&lines)
	err := plain.Auto(walktest.Context(t), ses, plain.NewScreen(io.Discard, nil), plain.AutoOptions{Events: r.Begin(ses.Walk())})
	if err == nil {
		t.Fatal("no error")
	}
	if err := r.End(err); err != nil {
		t.Fatal(err)
	}
	var got []string
	for dec := json.NewDecoder(&lines); ; {
		var rec Record
		if err := dec.Decode(&rec); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(rec.Event+" "+rec.Title+" "+rec.Command+rec.Check), " ")
		if rec.OK != nil && !*rec.OK {
			text += " FAILED"
			if !strings.Contains(rec.Error, "test.md:21: step 2, Two: exit status 1") {
				t.Errorf("error %q", rec.Error)
			}
		}
		if rec.Walk != "test" || rec.Time.IsZero() || (rec.OK == nil) != (rec.Seconds == nil) {
			t.Errorf("record %+v", rec)
		}
		got = append(got, text)
	}
	want := []string{
		"walk-start A walk",
		"step-start Setup", "command Setup true", "step-end Setup",
		"step-start One <&>", "command One <&> echo '<said & done>'", "check One <&> it holds", "step-end One <&>",
		"step-start Two", `command Two echo "no way"`, "command Two false FAILED", "step-end Two FAILED",
		"step-start Cleanup", "command Cleanup true", "step-end Cleanup",
		"walk-end FAILED",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	if err := r.WriteJUnit(&junit); err != nil {
		t.Fatal(err)
	}
	var suites xmlSuites
	if err := xml.Unmarshal(junit.Bytes(), &suites); err != nil {
		t.Fatalf("%v in\n%s", err, &junit)
	}
	s := suites.Suites[0]
	if s.Name != "test" || s.Tests != 5 || s.Failures != 1 || s.Skipped != 1 || len(s.Cases) != 5 {
		t.Errorf("suite %+v", s)
	}
	var names []string
	for _, c := range s.Cases {
		name := c.Name
		if c.Failure != nil {
			name += " FAILED"
			if !strings.Contains(c.Failure.Text, "no way") && !strings.Contains(c.Failure.Text, "$ false") {
				t.Errorf("failure %+v", c.Failure)
			}
		}
		if c.Skipped != nil {
			name += " skipped"
		}
		if c.Class != "test" || c.File != "test.md" || c.Line == 0 {
			t.Errorf("case %+v", c)
		}
		names = append(names, name)
	}
	if got := strings.Join(names, ", "); got != "Setup, 1 One <&>, 2 Two FAILED, 3 Three skipped, Cleanup" {
		t.Errorf("cases %s", got)
	}
}

// TestReportOfNothing is about a walk that could not even begin.
func TestReportOfNothing(t *testing.T) {
	ses := newSession(t, walktest.OneStep("true", "true", "true"))
	r := New(nil)
	r.Begin(ses.Walk())
	var junit bytes.Buffer
	if err := errors.Join(r.End(errors.New("no cluster")), r.WriteJUnit(&junit)); err != nil {
		t.Fatal(err)
	}
	if s := junit.String(); !strings.Contains(s, `failures="1"`) || !strings.Contains(s, `message="no cluster"`) {
		t.Errorf("got %s", s)
	}
	broken := New(brokenWriter{})
	broken.Begin(ses.Walk())
	if err := broken.End(nil); err == nil {
		t.Error("a report that was not written is no error")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestCast(t *testing.T) {
	ses := newSession(t, walktest.OneStep("echo héllo", "true", "true"))
	var cast, out bytes.Buffer
	c, err := NewCast(&cast, "A walk")
	if err != nil {
		t.Fatal(err)
	}
	s := plain.NewScreen(&out, nil)
	s.Record(c)
	if err := plain.Auto(walktest.Context(t), ses, s, plain.AutoOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []byte("ü\n") { // a character that comes in pieces
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSpace(cast.String()), "\n")
	var head struct {
		Version, Width, Height int
		Timestamp              int64
		Title                  string
	}
	if err := json.Unmarshal([]byte(lines[0]), &head); err != nil || head.Version != 2 || head.Width < 72 || head.Height == 0 || head.Timestamp == 0 || head.Title != "A walk" {
		t.Errorf("header %s: %v", lines[0], err)
	}
	var shown strings.Builder
	last := -1.0
	for _, l := range lines[1:] {
		var event []any
		if err := json.Unmarshal([]byte(l), &event); err != nil || len(event) != 3 || event[1] != "o" || event[0].(float64) < last {
			t.Fatalf("%v in %s after %v", err, l, last)
		}
		last = event[0].(float64)
		shown.WriteString(event[2].(string))
	}
	text := shown.String()
	if !strings.HasSuffix(text, "ü\r\n") || !strings.Contains(text, "\x1b[") || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Errorf("recorded %q", text)
	}
	if strings.Contains(out.String(), "\x1b[") || !strings.Contains(text, "héllo") || !strings.Contains(out.String(), "héllo") {
		t.Errorf("shown %q", out.String())
	}
	if c.Err() != nil {
		t.Error(c.Err())
	}
}

// TestHostile is about a walk whose command means to change the terminal, and whose title does.
func TestHostile(t *testing.T) {
	src := strings.Replace(walktest.OneStep(`printf '\033[2J\033]0;x\a\033[31mred\342\200\256\n'; false`, "true", "true"), "## One", "## One\u202e\x1b[2J", 1)
	ses := newSession(t, src)
	var lines, junit, cast bytes.Buffer
	r := New(&lines)
	c, err := NewCast(&cast, "A\u202e walk")
	if err != nil {
		t.Fatal(err)
	}
	s := plain.NewScreen(io.Discard, nil)
	s.Record(c)
	err = plain.Auto(walktest.Context(t), ses, s, plain.AutoOptions{Events: r.Begin(ses.Walk())})
	if err == nil {
		t.Fatal("no error")
	}
	if err := errors.Join(r.End(err), r.WriteJUnit(&junit)); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"JSON": lines.String(), "JUnit": junit.String(), "recording": cast.String()} {
		for _, no := range []string{"\u202e", `\u202e`, "\ufffd", `\u001b[2J`, `\u001b]`, `\u0007`} {
			if strings.Contains(got, no) {
				t.Errorf("%s: %q in %s", name, no, got)
			}
		}
		if !strings.Contains(got, "red") || !strings.Contains(got, "One") || name != "recording" && strings.Contains(got, `\u001b`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func newSession(t *testing.T, src string) *walk.Session {
	t.Helper()
	w, err := walk.Parse("test.md", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ses, err := walk.Open(walktest.Context(t), w, walk.SessionOptions{Runner: walk.Options{Env: []string{"PATH=" + os.Getenv("PATH")}, Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	return ses
}
