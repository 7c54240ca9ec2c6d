// Package terminal runs a shell on a pseudo-terminal that several browsers share. All of them see the same screen, and
// each can type; one that comes later gets the end of what was written before.
package terminal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
)

const (
	// keptBytes is how much of the output a browser gets that comes later.
	keptBytes = 256 << 10
	// windowBytes is how much output a browser may still have to show before the shell waits for it.
	windowBytes = keptBytes / 2
	// patience is how long the shell waits for a browser that shows nothing, such as one in the background.
	patience = 300 * time.Millisecond
	// grace is how long programs may take to end after the terminal was closed.
	grace = time.Second
)

// Size is the size of a screen in characters.
type Size struct {
	Cols uint16 `json:"cols"`
	Rows uint16 `json:"rows"`
}

// Options says which shell to run.
type Options struct {
	Command []string // the program and its arguments
	Dir     string   // where it starts
	Env     []string // its whole environment
}

// Terminal is a shell's screen. Its methods may be called at any time by any goroutine.
type Terminal struct {
	o       Options
	pressed chan struct{} // has an element when a key was pressed while no shell runs

	mu      sync.Mutex
	text    []byte // the end of the output
	start   int64  // where text starts, in bytes since the terminal was opened
	size    Size
	tty     *os.File // nil while no shell runs
	views   map[*View]struct{}
	changed chan struct{} // closed when there is something new to show
	shown   chan struct{} // closed when a browser has shown something
}

// New returns a terminal whose shell does not run yet.
func New(o Options) *Terminal {
	return &Terminal{
		o: o, pressed: make(chan struct{}, 1), size: Size{Cols: 80, Rows: 24},
		views: map[*View]struct{}{}, changed: make(chan struct{}), shown: make(chan struct{}),
	}
}

// Run runs a shell until ctx ends, and another one, once a key was pressed, after each that has ended by itself. When it
// returns, everything that the shells have started in their session has ended.
func (t *Terminal) Run(ctx context.Context) {
	for ctx.Err() == nil {
		text := "The shell has ended. Press a key for a new one."
		if err := t.once(ctx); err != nil {
			text = err.Error() + ". Press a key to try again."
		}
		t.add([]byte("\r\n" + text + "\r\n"))
		select {
		case <-t.pressed:
		case <-ctx.Done():
		}
	}
}

// once runs one shell.
func (t *Terminal) once(ctx context.Context) error {
	cmd := exec.Command(t.o.Command[0], t.o.Command[1:]...)
	cmd.Dir, cmd.Env = t.o.Dir, t.o.Env
	t.mu.Lock()
	size := t.size
	t.mu.Unlock()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: size.Cols, Rows: size.Rows}) // in a session of its own
	if err != nil {
		return fmt.Errorf("starting the shell %s: %w", t.o.Command[0], err)
	}
	select {
	case <-t.pressed: // what was typed before is not for this shell
	default:
	}
	t.mu.Lock()
	t.tty = tty
	t.mu.Unlock()
	t.setSize(tty, size)

	var reading sync.WaitGroup
	reading.Go(func() { t.read(ctx, tty) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		awaitExit(cmd)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	endSession(cmd, ended)
	t.mu.Lock()
	t.tty = nil
	t.mu.Unlock()
	tty.Close()
	reading.Wait()
	return nil
}

// endSession ends everything in the shell's session: kindly, then by force.
func endSession(cmd *exec.Cmd, ended <-chan struct{}) {
	deadline := time.Now().Add(grace)
	signalSession(cmd, syscall.SIGHUP)
	for time.Now().Before(deadline) && sessionLives(cmd) {
		time.Sleep(10 * time.Millisecond) // the end of processes that are not ours to wait for cannot be awaited
	}
	signalSession(cmd, syscall.SIGKILL)
	<-ended
	_ = cmd.Wait() // the shell's exit code is the learner's affair
}

// read adds what the shell and its programs write, until they have all closed the terminal.
func (t *Terminal) read(ctx context.Context, tty *os.File) {
	buffer := make([]byte, 16<<10)
	for {
		n, err := tty.Read(buffer)
		if n > 0 {
			t.add(buffer[:n])
			t.pace(ctx)
		}
		if err != nil {
			return
		}
	}
}

// add appends output, and wakes the browsers.
func (t *Terminal) add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - keptBytes; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
		t.start += int64(over)
	}
	t.wake()
}

// wake wakes the browsers. The terminal is locked.
func (t *Terminal) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// pace waits until the browsers have shown nearly everything. It waits for no browser that does not go on.
func (t *Terminal) pace(ctx context.Context) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		t.mu.Lock()
		shown, late := t.shown, []*View(nil)
		for v := range t.views {
			if behind := t.start + int64(len(t.text)) - v.acked; behind > windowBytes && !v.slow {
				late = append(late, v)
			}
		}
		t.mu.Unlock()
		if len(late) == 0 {
			return
		}
		select {
		case <-shown:
		case <-timeout.C:
			t.mu.Lock()
			for _, v := range late {
				v.slow = true
			}
			t.mu.Unlock()
			return
		case <-ctx.Done():
			return
		}
	}
}

// Write types on the terminal.
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	tty := t.tty
	t.mu.Unlock()
	if tty == nil {
		select {
		case t.pressed <- struct{}{}:
		default:
		}
		return len(p), nil
	}
	return tty.Write(p)
}

// Resize sets the size of the screen, of all browsers.
func (t *Terminal) Resize(s Size) {
	const most = 1000
	s = Size{Cols: min(max(s.Cols, 2), most), Rows: min(max(s.Rows, 2), most)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.size == s {
		return
	}
	t.size = s
	t.wake()
	if t.tty != nil { // under the lock: its descriptor must not be closed meanwhile
		t.setSize(t.tty, s)
	}
}

// setSize tells the programs in the terminal its size. One that has just ended needs none.
func (t *Terminal) setSize(tty *os.File, s Size) {
	_ = pty.Setsize(tty, &pty.Winsize{Cols: s.Cols, Rows: s.Rows})
}
