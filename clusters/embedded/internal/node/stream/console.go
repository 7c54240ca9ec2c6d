package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

const (
	// patience is how long an attached client may hold the process up that it
	// does not read from. Then it is cut off.
	patience = 5 * time.Second
	// backlog is how many writes a client may be behind.
	backlog = 64
	// longestPrompt is how much of an unfinished line a new client is shown.
	longestPrompt = 4 << 10
)

// ConsoleOptions are what a container's spec says of its standard input and
// output.
type ConsoleOptions struct {
	Stdin bool // clients may type
	Once  bool // the input ends when the first client has left
	TTY   bool
}

// Console is the standard input and output of a container's process: it writes
// the output to the log and to the clients that are attached. One Console is
// for one process.
type Console struct {
	options  ConsoleOptions
	log      io.Writer
	terminal *terminal // nil without a TTY
	input    *os.File  // nil without standard input, and on a terminal
	process  *process.Process

	mu       sync.Mutex
	clients  map[*attached]struct{}
	line     []byte // what came after the last newline
	finished chan struct{}
}

// NewConsole returns the console of a process that is yet to be started. log
// takes all output.
func NewConsole(options ConsoleOptions, log io.Writer) *Console {
	return &Console{options: options, log: log, clients: map[*attached]struct{}{}, finished: make(chan struct{})}
}

// Start starts the console's process. The console sets the spec's input,
// output, and terminal.
func (c *Console) Start(spec process.Spec) (p *process.Process, err error) {
	switch {
	case c.options.TTY:
		if c.terminal, err = openTerminal(); err != nil {
			return nil, err
		}
		spec.Env = withTerm(spec.Env)
		if p, err = c.terminal.start(spec); err != nil {
			return nil, err
		}
		go c.terminal.copyOut(c)
	case c.options.Stdin:
		var read *os.File
		if read, c.input, err = os.Pipe(); err != nil {
			return nil, err
		}
		defer read.Close()
		spec.Input, spec.Output = read, c
		if p, err = process.Start(spec); err != nil {
			c.input.Close()
			return nil, err
		}
	default:
		spec.Output = c
		if p, err = process.Start(spec); err != nil {
			return nil, err
		}
	}
	c.process = p
	return p, nil
}

// Finish passes on what is left of the output, and lets the clients go. It is
// called when the process has ended.
func (c *Console) Finish() {
	if c.terminal != nil {
		c.terminal.finish()
	}
	if c.input != nil {
		c.input.Close()
	}
	close(c.finished)
}

// Write takes the process's output. It never fails.
func (c *Console) Write(p []byte) (int, error) {
	_, _ = c.log.Write(p) // a full disk does not end the process
	c.mu.Lock()
	c.line = append(c.line, p...)
	if end := bytes.LastIndexByte(c.line, '\n'); end >= 0 {
		c.line = append(c.line[:0], c.line[end+1:]...)
	}
	c.line = c.line[max(0, len(c.line)-longestPrompt):]
	clients := make([]*attached, 0, len(c.clients))
	for client := range c.clients {
		clients = append(clients, client)
	}
	c.mu.Unlock()
	for _, client := range clients {
		client.send(bytes.Clone(p))
	}
	return len(p), nil
}

// errSlow is why a client is let go that does not read.
var errSlow = errors.New("the client does not read what the container writes")

// Attach shows a client the output from now on, and passes on what it types if
// the container has a standard input. It returns nil when the process has
// ended. When ctx ends, the client is gone: the process goes on, unless its
// input was for one client.
func (c *Console) Attach(ctx context.Context, client Client) error {
	a := &attached{chunks: make(chan []byte, backlog), gone: make(chan struct{})}
	c.mu.Lock()
	c.clients[a] = struct{}{}
	if c.terminal != nil && len(c.line) > 0 { // the prompt that waits for an answer
		a.chunks <- bytes.Clone(c.line)
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.clients, a)
		c.mu.Unlock()
		a.leave()
	}()
	if c.terminal != nil && client.TTY() {
		left := make(chan struct{})
		defer close(left)
		go c.terminal.resize(client.Resize(), left)
	}
	if in := client.Stdin(); in != nil && c.options.Stdin {
		go c.copyIn(in)
		if c.options.Once {
			defer c.endInput()
		}
	}
	return a.copyOut(ctx, client.Stdout(), c.finished)
}

func (c *Console) copyIn(in io.Reader) {
	switch {
	case c.terminal != nil && c.options.Once:
		c.terminal.copyIn(in)
	case c.terminal != nil:
		_, _ = io.Copy(c.terminal.master, in) // fails when the process has ended
	default:
		_, err := io.Copy(c.input, in)
		if err == nil && c.options.Once {
			c.input.Close()
		}
	}
}

// endInput ends the input of a process whose only client has left.
func (c *Console) endInput() {
	if c.input != nil {
		c.input.Close()
	} else {
		c.process.Hangup()
	}
}

// attached is a client of a console.
type attached struct {
	chunks  chan []byte
	gone    chan struct{}
	leaving sync.Once
}

func (a *attached) leave() { a.leaving.Do(func() { close(a.gone) }) }

// send passes output on to the client, or cuts it off if it does not read.
func (a *attached) send(chunk []byte) {
	select {
	case a.chunks <- chunk:
		return
	case <-a.gone:
		return
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a.chunks <- chunk:
	case <-a.gone:
	case <-timer.C:
		a.leave()
	}
}

// copyOut writes the output to out until the process has finished.
func (a *attached) copyOut(ctx context.Context, out io.Writer, finished <-chan struct{}) error {
	if out == nil {
		out = io.Discard
	}
	for {
		select {
		case chunk := <-a.chunks:
			if _, err := out.Write(chunk); err != nil {
				return err
			}
			continue
		case <-ctx.Done():
			return nil
		case <-a.gone:
			return errSlow
		case <-finished:
		}
		for { // nothing is added any more
			select {
			case chunk := <-a.chunks:
				if _, err := out.Write(chunk); err != nil {
					return err
				}
			default:
				return nil
			}
		}
	}
}
