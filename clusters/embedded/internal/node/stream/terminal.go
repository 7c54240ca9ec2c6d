package stream

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"github.com/virtual-kubelet/virtual-kubelet/node/api"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// endOfInput is what a terminal takes for the end of the input (Ctrl-D). It
// does so at the beginning of a line.
const endOfInput = "\x04"

// terminal is a pseudo-terminal, as its master sees it.
type terminal struct {
	master, slave *os.File
	done          chan struct{} // closed when all output has been copied

	mu     sync.Mutex // held while the master's descriptor is used outside of its methods, which know when it is closed
	closed bool
}

func openTerminal() (*terminal, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, err
	}
	return &terminal{master: master, slave: slave, done: make(chan struct{})}, nil
}

// start starts a process on the terminal. The terminal is closed if it fails.
func (t *terminal) start(spec process.Spec) (*process.Process, error) {
	spec.Terminal = t.slave
	p, err := process.Start(spec)
	t.slave.Close() // as long as it is open here, the output never ends
	if err != nil {
		t.close()
		return nil, err
	}
	return p, nil
}

// close takes the terminal away: what runs on it gets a SIGHUP.
func (t *terminal) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		t.master.Close()
	}
}

// finish waits for the rest of the output and closes the terminal.
func (t *terminal) finish() {
	select {
	case <-t.done:
	case <-time.After(drainTime): // something has the terminal open
	}
	t.close()
}

// copyOut copies the output until no process has the terminal open. It goes on
// reading if out fails, so that no process hangs on its output.
func (t *terminal) copyOut(out io.Writer) {
	defer close(t.done)
	if out != nil {
		_, _ = io.Copy(out, t.master) // ends with an error: the slave is closed
	}
	_, _ = io.Copy(io.Discard, t.master)
}

// copyIn types what in holds. When in ends, it types the end of the input.
func (t *terminal) copyIn(in io.Reader) {
	buffer, fresh := make([]byte, 4096), true
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := t.master.Write(buffer[:n]); err != nil {
				return
			}
			fresh = bytes.IndexByte([]byte("\r\n"), buffer[n-1]) >= 0
		}
		if err == nil {
			continue
		}
		if !fresh { // the first one only ends the line
			_, _ = io.WriteString(t.master, endOfInput)
		}
		_, _ = io.WriteString(t.master, endOfInput)
		return
	}
}

// resize follows the size of the client's terminal until done is closed. A
// size of nothing is what virtual-kubelet sends when there are no more.
func (t *terminal) resize(sizes <-chan api.TermSize, done <-chan struct{}) {
	for {
		select {
		case size := <-sizes:
			if size.Width == 0 || size.Height == 0 {
				return
			}
			t.setSize(size)
		case <-done:
			return
		}
	}
}

// setSize tells the programs on the terminal its size, unless it is closed.
func (t *terminal) setSize(size api.TermSize) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		_ = pty.Setsize(t.master, &pty.Winsize{Rows: size.Height, Cols: size.Width}) // the programs keep the old one
	}
}
