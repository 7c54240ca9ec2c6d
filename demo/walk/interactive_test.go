package walk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInteractiveGolden(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("testdata", "complete.md"))
	if err != nil {
		t.Fatal(err)
	}
	r, dir := newRunner(t, string(src))
	var out bytes.Buffer
	// Run, take back, try a key that is not there, skip, do again, run the last, finish.
	keys := strings.NewReader("\nb\nx\ns\nr\n\n\n")
	if err := Interactive(testContext(t), r, NewScreen(&out, nil), keys); err != nil {
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
		{"quit leaves the state", oneStep("touch it", "true", "rm it"), "\nq\n",
			[]string{"1/1 One", "$ touch it", "Enter run · s skip · q quit", "✓ true", "The state stays"}, "it"},
		{"end of input quits", oneStep("touch it", "true", "rm it"), "", []string{"The state stays"}, ""},
		{"back after the end", oneStep("touch it", "true", "rm it"), "\nb\nq\n",
			[]string{"The end", "✓ back: One", "1/1 One"}, ""},
		{"again takes back first", oneStep("mkdir it", "true", "rmdir it"), "\nr\nq\n",
			[]string{"✓ true", "✓ back: One", "✓ true"}, "it"},
		{"second try after a failure", oneStep("mkdir it\ntest -e second || ! touch second", "true", "rmdir it"), "\n\nq\n",
			[]string{"✗ mkdir it", "test.md:8: step 1, One: exit status 1", "$ test -e second", "Enter try again · n next · b back", "✓ back: One", "✓ true"}, "it second"},
		{"go on after a failure", oneStep("touch it\nfalse", "true", "rm it"), "\nn\n\n", []string{"✗", "The end"}, "it"},
		{"back after a failure", oneStep("touch it\nfalse", "true", "rm it"), "\nb\nq\n", []string{"✗", "✓ back: One", "1/1 One"}, ""},
		{"skip is silent", oneStep("echo loud", "true", "true"), "s\nq\n", []string{"✓ skipped: One"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, dir := newRunner(t, tt.src)
			var out bytes.Buffer
			if err := Interactive(testContext(t), r, NewScreen(&out, nil), strings.NewReader(tt.keys)); err != nil {
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

func TestInteractiveInterrupted(t *testing.T) {
	r, _ := newRunner(t, oneStep("true", "true", "true"))
	ctx, cancel := context.WithCancel(testContext(t))
	in, keys := io.Pipe() // nobody types
	defer func() { _ = keys.Close() }()
	asked := writerFunc(func(p []byte) {
		if bytes.Contains(p, []byte("Enter run")) {
			cancel()
		}
	})
	if err := Interactive(ctx, r, NewScreen(asked, nil), in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
