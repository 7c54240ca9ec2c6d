package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

func TestInteractiveGolden(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("..", "testdata", "complete.md"))
	if err != nil {
		t.Fatal(err)
	}
	ses, dir := newSession(t, string(src))
	var out bytes.Buffer
	// Run, take back, try a key that is not there, skip, do again, run the last, finish.
	keys := strings.NewReader("\nb\nx\ns\nr\n\n\n")
	if err := Interactive(walktest.Context(t), ses, NewScreen(&out, nil), keys); err != nil {
		t.Fatal(err)
	}
	golden(t, "interactive.golden", out.String())
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("the cleanup left %v", left)
	}
}

func TestInteractive(t *testing.T) {
	tests := []struct {
		name, src, keys string
		want            []string // in the output, in this order
		files           string   // left in the work folder
	}{
		{"quit leaves the state", walktest.OneStep("touch it", "true", "rm it"), "\nq\n",
			[]string{"1/1 One", "$ touch it", "Enter run · s skip · g N go to · q quit", "✓ true", "The state is kept"}, "it"},
		{"end of input quits", walktest.OneStep("touch it", "true", "rm it"), "", []string{"The state is kept"}, ""},
		{"back after the end", walktest.OneStep("touch it", "true", "rm it"), "\nb\nq\n",
			[]string{"The end", "✓ back: One", "1/1 One"}, ""},
		{"again takes back first", walktest.OneStep("mkdir it", "true", "rmdir it"), "\nr\nq\n",
			[]string{"✓ true", "✓ back: One", "✓ true"}, "it"},
		{"second try after a failure", walktest.OneStep("mkdir it\ntest -e second || ! touch second", "true", "rmdir it"), "\n\nq\n",
			[]string{"✗ mkdir it", "test.md:8: step 1, One: exit status 1", "$ test -e second", "Enter try again · n next · b back", "✓ true"}, "it second"},
		{"go on after a failure", walktest.OneStep("touch it\nfalse", "true", "rm it"), "\nn\n\n", []string{"✗", "The end"}, "it"},
		{"back after a failure", walktest.OneStep("touch it\nfalse", "true", "rm it"), "\nb\nq\n", []string{"✗", "✓ back: One", "1/1 One"}, ""},
		{"go to a step and back", threeSteps, "g 3\ng2\ng 9\ng x\n\nq\n",
			[]string{"✓ prepared: One", "✓ prepared: Two", "3/3 Three", "✓ back: Two", "2/3 Two", `There is no step "9"`, `There is no step "x"`, "3/3 Three"}, "One Two"},
		{"skip is silent", walktest.OneStep("echo loud", "true", "true"), "s\nq\n", []string{"✓ skipped: One"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ses, dir := newSession(t, tt.src)
			var out bytes.Buffer
			if err := Interactive(walktest.Context(t), ses, NewScreen(&out, nil), strings.NewReader(tt.keys)); err != nil {
				t.Fatal(err)
			}
			rest := out.String()
			for _, want := range tt.want {
				i := strings.Index(rest, want)
				if i < 0 {
					t.Fatalf("no %q in the rest of\n%s", want, &out)
				}
				rest = rest[i+len(want):]
			}
			var files []string
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				files = append(files, e.Name())
			}
			if got := strings.Join(files, " "); got != tt.files {
				t.Errorf("left %q, want %q", got, tt.files)
			}
		})
	}
}

const threeSteps = walktest.Front +
	"## One\n```sh\ntouch One\n```\n```sh check\ntrue\n```\n```sh undo\nrm One\n```\n" +
	"## Two\n```sh\ntouch Two\n```\n```sh check\ntrue\n```\n```sh undo\nrm Two\n```\n" +
	"## Three\n```sh look\nls\n```\n```sh check\ntrue\n```\n"

func TestInteractiveGoesOn(t *testing.T) {
	f := newFixture(t, threeSteps)
	ses, dir := f.open(t), f.dir
	var out bytes.Buffer
	if err := Interactive(walktest.Context(t), ses, NewScreen(&out, nil), strings.NewReader("\nq\n")); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	ses = f.open(t)
	if err := Interactive(walktest.Context(t), ses, NewScreen(&out, nil), strings.NewReader("\n\n\n")); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "Resuming at step 2. To start again") || strings.Contains(s, "1/3 One") || !strings.Contains(s, "The end") {
		t.Errorf("got\n%s", s)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "One")); err != nil || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestInteractiveInterrupted(t *testing.T) {
	ses, _ := newSession(t, walktest.OneStep("true", "true", "true"))
	ctx, cancel := context.WithCancel(walktest.Context(t))
	in, keys := io.Pipe() // nobody types
	defer func() { _ = keys.Close() }()
	asked := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("Enter run")) {
			cancel()
		}
	})
	if err := Interactive(ctx, ses, NewScreen(asked, nil), in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
