package plain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// typist gives a learner's lines one by one, and keeps what is shown.
type typist struct {
	mu    sync.Mutex
	shown bytes.Buffer
	in    *io.PipeReader
	keys  *io.PipeWriter
}

func newTypist() *typist {
	in, keys := io.Pipe()
	return &typist{in: in, keys: keys}
}

// learn runs a walk for the typist, whose checks are begun again without much of a pause.
func (y *typist) learn(ctx context.Context, ses *walk.Session, prelude ...string) <-chan error {
	l := newLearner(ses, NewScreen(y, nil), y.in)
	l.again = 10 * time.Millisecond
	over := make(chan error, 1)
	go func() { over <- l.learn(ctx, prelude) }()
	return over
}

func (y *typist) Write(p []byte) (int, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.shown.Write(p)
}

func (y *typist) text() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.shown.String()
}

// see waits for a text after what was seen before.
func (y *typist) see(t *testing.T, text string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log(y.text())
		}
	}()
	walktest.Await(t, text, func() bool { return strings.Contains(y.text(), text) })
}

func (y *typist) press(t *testing.T, key string) {
	t.Helper()
	if _, err := io.WriteString(y.keys, key+"\n"); err != nil {
		t.Fatal(err)
	}
}

const learnt = walktest.Front + "## Make it\nMake a folder.\n```sh\nmkdir -p made/deep\ncd made\n```\n```sh check label=\"there is a folder\"\necho nobody made it; test -d \"$WALK_DIR/made\"\n```\n" +
	"```text hint\nThink of mkdir.\n```\n```sh undo\nrm -rf \"$WALK_DIR/made\"\n```\n" +
	"## Look at it\n```sh look\nls\n```\n```sh check label=\"it is there\"\ntest -d deep\n```\n" +
	"## Fill it\n```sh\necho full > deep/file\n```\n```sh check label=\"it is full\"\ntest -s deep/file\n```\n```sh undo\nrm -f deep/file\n```\n" +
	"## Cleanup\n```sh\nrm -rf made\n```\n"

func TestLearn(t *testing.T) {
	f := newFixture(t, learnt)
	ses, dir := f.open(t), f.dir
	y := newTypist()
	over := y.learn(walktest.Context(t), ses, "cd there")
	y.see(t, "    cd there\n")
	y.see(t, "Make a folder.")
	y.see(t, "… there is a folder: nobody made it\n")
	if strings.Contains(y.text(), "mkdir") {
		t.Error("the solution is shown")
	}
	y.press(t, "h")
	y.see(t, "Think of mkdir.")
	y.press(t, "h")
	y.see(t, "\nmkdir -p made/deep\ncd made\n") // to be pasted
	y.press(t, "x")
	y.see(t, "Unknown key x.")
	if err := os.MkdirAll(filepath.Join(dir, "made", "deep"), 0o700); err != nil { // the learner's own hand
		t.Fatal(err)
	}
	y.see(t, "✓ done: Make it")
	y.see(t, "2/3 Look at it")
	y.see(t, "[Enter continue · s show what it prints · b back · q quit]")
	y.press(t, "")
	y.see(t, "✓ it is there") // the walk went where the learner's folder is
	y.see(t, "3/3 Fill it")
	y.see(t, "… it is full")
	y.press(t, "r")
	y.see(t, "✓ back: Fill it")
	y.press(t, "q")
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	y.see(t, "The next run resumes here.")
	for line := range strings.Lines(y.text()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > screenWidth {
			t.Errorf("%d columns: %q", n, line)
		}
	}

	// Somebody solves it in another process while the next run waits.
	again := f.open(t)
	y = newTypist()
	over = y.learn(walktest.Context(t), again)
	y.see(t, "3/3 Fill it")
	other := f.open(t)
	if other.Position() != 2 {
		t.Fatalf("the other process is at %d", other.Position())
	}
	if err := other.Do(walktest.Context(t), walk.Command{Action: walk.ActionNext}, nil); err != nil {
		t.Fatal(err)
	}
	y.see(t, "The end: 3 steps done.")
	y.press(t, "")
	if err := <-over; err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestLearnSolve(t *testing.T) {
	ses, dir := newSession(t, learnt)
	y := newTypist()
	ctx, cancel := context.WithCancel(walktest.Context(t))
	over := y.learn(ctx, ses)
	y.press(t, "s")
	y.see(t, "$ cd made")
	y.see(t, "✓ there is a folder")
	y.see(t, "2/3")
	y.press(t, "s")
	y.see(t, "    deep\n")
	y.see(t, "3/3")
	cancel()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "made")); err != nil {
		t.Error(err)
	}
}
