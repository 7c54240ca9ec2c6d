package terminal

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// long is how long anything here may take on a busy machine.
const long = 2 * time.Minute

// browser is a view, and what it shows.
type browser struct {
	*View
	cancel context.CancelFunc

	mu    sync.Mutex
	text  bytes.Buffer // since the screen was cleared
	anew  int          // how often it was cleared
	size  Size
	stuck bool // it shows nothing more
}

// look opens a view of a terminal.
func look(t *testing.T, of *Terminal) *browser {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	b := &browser{View: of.View(), cancel: cancel}
	t.Cleanup(cancel)
	go func() {
		defer b.Close()
		for {
			p, err := b.Next(ctx)
			if err != nil {
				return
			}
			b.mu.Lock()
			if p.Anew {
				b.anew++
				b.text.Reset()
			}
			if p.Size != nil {
				b.size = *p.Size
			}
			b.text.Write(p.Text)
			stuck := b.stuck
			b.mu.Unlock()
			if !stuck {
				b.Shown(int64(len(p.Text)))
			}
		}
	}()
	return b
}

func (b *browser) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// see waits for a text.
func (b *browser) see(t *testing.T, want string) {
	t.Helper()
	await(t, func() bool { return strings.Contains(b.String(), want) }, func() string { return fmt.Sprintf("no %q in:\n%s", want, b) })
}

func await(t *testing.T, ok func() bool, what func() string) {
	t.Helper()
	for end := time.Now().Add(long); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what())
		}
	}
}

// open runs a terminal until the test ends, or until the returned function was called.
func open(t *testing.T, o Options) (*Terminal, func()) {
	t.Helper()
	if o.Command == nil {
		path, err := exec.LookPath("sh")
		if err != nil {
			t.Fatal(err)
		}
		o.Command = []string{path, "-i"}
	}
	o.Dir = t.TempDir()
	o.Env = []string{"PATH=" + os.Getenv("PATH"), "PS1=> ", "TERM=xterm"}
	term := New(o)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		term.Run(ctx)
	}()
	closed := func() {
		t.Helper()
		cancel()
		select {
		case <-over:
		case <-time.After(long):
			t.Fatal("the terminal does not close")
		}
	}
	t.Cleanup(closed)
	return term, closed
}

func (t *Terminal) enter(text string) { _, _ = t.Write([]byte(text + "\n")) }

// TestShare types in one browser, and looks from two; the second one comes later.
func TestShare(t *testing.T) {
	term, _ := open(t, Options{})
	first := look(t, term)
	first.see(t, "> ")
	term.enter("echo $((6*7)); stty size")
	first.see(t, "\n42\r\n24 80\r\n")
	term.Resize(Size{Cols: 101, Rows: 31})
	term.enter("stty size")
	first.see(t, "31 101\r\n")
	second := look(t, term)
	second.see(t, "\n42\r\n24 80\r\n")
	await(t, func() bool { second.mu.Lock(); defer second.mu.Unlock(); return second.size == Size{101, 31} }, func() string { return "the second browser has another size" })
	term.enter("echo again $((7*7))")
	first.see(t, "again 49")
	second.see(t, "again 49")
	if first.anew != 1 || second.anew != 1 {
		t.Errorf("the screens were cleared %d and %d times", first.anew, second.anew)
	}
}

// TestPast says which pieces were written before the browser came: programs must not get a second answer.
func TestPast(t *testing.T) {
	term := New(Options{})
	term.add([]byte("before"))
	v := term.View()
	p, err := v.Next(t.Context())
	if err != nil || !p.Anew || !p.Past || string(p.Text) != "before" || p.Size == nil {
		t.Errorf("got %+v, %v", p, err)
	}
	term.add([]byte("after"))
	p, err = v.Next(t.Context())
	if err != nil || p.Anew || p.Past || string(p.Text) != "after" || p.Size != nil {
		t.Errorf("got %+v, %v", p, err)
	}
}

// TestFlood writes more than is kept: a browser that shows everything misses nothing, one that shows nothing does not
// stop the shell, and the memory stays bounded.
func TestFlood(t *testing.T) {
	term, _ := open(t, Options{})
	quick := look(t, term)
	quick.see(t, "> ")
	slow := look(t, term)
	slow.mu.Lock()
	slow.stuck = true
	slow.mu.Unlock()
	const lines = 40000
	term.enter(fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo line $i of many; i=$((i+1)); done; echo o''ver", lines))
	quick.see(t, "over\r\n")
	if n := strings.Count(quick.String(), " of many\r\n"); n != lines || quick.anew != 1 {
		t.Errorf("the browser has %d of %d lines, and was cleared %d times", n, lines, quick.anew)
	}
	term.mu.Lock()
	kept := len(term.text)
	term.mu.Unlock()
	if kept > keptBytes {
		t.Errorf("%d bytes are kept", kept)
	}
	slow.mu.Lock()
	slow.stuck = false
	slow.mu.Unlock()
	slow.Shown(1 << 30) // it goes on
	slow.see(t, "over\r\n")
}

// TestEnd closes the terminal while jobs run, also some that want to survive it.
func TestEnd(t *testing.T) {
	for _, shell := range []string{"sh", "bash"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Fatal(err)
			}
			command := []string{path, "-i"}
			if shell == "bash" {
				command = []string{path, "--norc", "--noprofile", "-i"}
			}
			term, closed := open(t, Options{Command: command})
			b := look(t, term)
			b.see(t, "> ")
			term.enter("nohup sleep 1001 >/dev/null 2>&1 & sh -c 'trap \"\" HUP TERM; sleep 1002' & sleep 1003 & jobs -p | tr '\\n' ' '; echo; echo rea''dy $$")
			b.see(t, "ready ")
			await(t, func() bool { return strings.HasSuffix(b.String(), "> ") || strings.Contains(b.String(), "\r\n> ") }, func() string { return b.String() })
			_, after, _ := strings.Cut(b.String(), "ready ")
			pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]))
			if err != nil {
				t.Fatalf("%v in %s", err, b)
			}
			if n := len(session(pid)); n < 4 {
				t.Errorf("only %d processes run", n)
			}
			closed()
			if left := session(pid); len(left) > 0 {
				t.Errorf("%v still run", left)
			}
		})
	}
}

// TestAgain ends the shell: a key starts another one.
func TestAgain(t *testing.T) {
	term, _ := open(t, Options{})
	b := look(t, term)
	b.see(t, "> ")
	term.enter("exit")
	b.see(t, "The shell has ended. Press a key for a new one.")
	term.enter("")
	term2 := func() bool {
		return strings.HasSuffix(strings.TrimRight(b.String(), "\r\n"), "> ") || strings.HasSuffix(b.String(), "> ")
	}
	await(t, term2, func() string { return b.String() })
	term.enter("echo $((6*7))")
	b.see(t, "\n42\r\n")
}

// TestNoShell has no program to run.
func TestNoShell(t *testing.T) {
	term, _ := open(t, Options{Command: []string{filepath.Join(t.TempDir(), "none")}})
	look(t, term).see(t, "no such file or directory. Press a key to try again.")
}
