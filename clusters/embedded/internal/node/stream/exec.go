// Package stream joins clients of the kubelet API with processes: commands that
// run beside a container, and the container's own process. It owns their
// terminals, and ends a command when its client goes away.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	utilexec "k8s.io/utils/exec"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

const (
	// hangupGrace is what a command gets to end by itself when its client is
	// gone.
	hangupGrace = 500 * time.Millisecond
	// drainTime is how long the output of a process that has ended may take.
	drainTime = time.Second
	// notFound is a shell's exit code for a program that it does not find.
	notFound = 127
)

// Command is a command that runs beside a container.
type Command struct {
	Args []string // the program first, as this machine knows it
	Env  []string // complete
	Dir  string
	// Until ends the command: it is closed when the container has ended.
	Until <-chan struct{}
	// Started is called with the running process (optional); what it returns
	// is called when that has ended.
	Started func(*process.Process) (ended func())
	// Confine limits what the command may do (optional); see process.Spec.
	Confine func() error
}

// Exec runs a command for a client: on a terminal of its own if the client has
// one, and otherwise on pipes. It returns when the command has ended, with an
// utilexec.CodeExitError unless the exit code was 0. When ctx or c.Until ends,
// the command and all that it started in its session end too.
func Exec(ctx context.Context, c Command, client Client) error {
	if path := c.Args[0]; strings.Contains(path, "/") && !filepath.IsAbs(path) {
		c.Args = append([]string{filepath.Join(c.Dir, path)}, c.Args[1:]...)
	}
	if _, err := exec.LookPath(c.Args[0]); err != nil {
		said := client.Stderr()
		if client.TTY() || said == nil {
			said = client.Stdout()
		}
		if said != nil {
			fmt.Fprintf(said, "exec: %s is not a program of this machine, and the virtual node has no others\r\n", c.Args[0])
		}
		return utilexec.CodeExitError{Err: fmt.Errorf("exit code %d", notFound), Code: notFound}
	}
	start := onPipes
	if client.TTY() {
		start = onTerminal
	}
	s, err := start(c, client)
	if err != nil {
		return fmt.Errorf("running %s: %w", c.Args[0], err)
	}
	if c.Started != nil {
		defer c.Started(s.process)()
	}
	select {
	case <-s.process.Done():
	case <-ctx.Done():
		s.end()
	case <-c.Until:
		s.end()
	}
	exit := s.process.Exit()
	s.process.EndRest()
	s.finish()
	if exit.Code != 0 {
		return utilexec.CodeExitError{Err: errors.New(exit.String()), Code: exit.Code}
	}
	return nil
}

// session is a running command with its connections.
type session struct {
	process *process.Process
	hangup  func() // takes the terminal or the standard input away
	finish  func() // passes the rest of the output on, and closes all
}

// end ends the command as a terminal that is closed does, and then by force.
func (s *session) end() {
	s.hangup()
	s.process.Hangup()
	select {
	case <-s.process.Done():
	case <-time.After(hangupGrace):
	}
	s.process.Stop(0)
}

func onPipes(c Command, client Client) (*session, error) {
	spec := process.Spec{Path: c.Args[0], Args: c.Args[1:], Env: c.Env, Dir: c.Dir, Confine: c.Confine, Output: client.Stdout(), Errors: client.Stderr()}
	if spec.Output == nil {
		spec.Output = io.Discard
	}
	if spec.Errors == nil {
		spec.Errors = io.Discard
	}
	stop := func() {}
	if in := client.Stdin(); in != nil {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer read.Close()
		spec.Input = read
		stop = func() { write.Close() }
		go func() {
			defer stop()
			_, _ = io.Copy(write, in) // ends with the client, or the command
		}()
	}
	p, err := process.Start(spec)
	if err != nil {
		stop()
		return nil, err
	}
	return &session{process: p, hangup: stop, finish: stop}, nil
}

func onTerminal(c Command, client Client) (*session, error) {
	t, err := openTerminal()
	if err != nil {
		return nil, err
	}
	p, err := t.start(process.Spec{Path: c.Args[0], Args: c.Args[1:], Env: withTerm(c.Env), Dir: c.Dir, Confine: c.Confine})
	if err != nil {
		return nil, err
	}
	out := client.Stdout()
	go t.copyOut(out)
	go t.resize(client.Resize(), p.Done())
	if in := client.Stdin(); in != nil {
		go t.copyIn(in)
	}
	return &session{process: p, hangup: t.close, finish: t.finish}, nil
}

// withTerm adds a type of terminal that every client's is like.
func withTerm(env []string) []string {
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "TERM=") }) {
		return env
	}
	return append(slices.Clone(env), "TERM=xterm")
}
