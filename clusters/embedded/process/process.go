// Package process runs and watches operating system processes. It starts
// them so that none outlives its parent, stops them within a grace period,
// and writes their output to rotated log files.
package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Spec says what to run. Path and Args are as for exec.Cmd (Args without the
// program's name); Env is the complete environment, nothing is inherited.
type Spec struct {
	Path   string
	Name   string // argv[0]; the base of Path if empty
	Args   []string
	Env    []string
	Dir    string
	Input  *os.File  // standard input; nil: none
	Output io.Writer // standard output and error, in the order written
	Errors io.Writer // standard error, if it does not go to Output
	// Terminal is the process's controlling terminal. It stands in for Input,
	// Output, and Errors.
	Terminal *os.File
	// Confine limits what the process may do (optional). It is called on the
	// thread that starts the process, which runs nothing else afterwards: what
	// it does to this thread, the process inherits.
	Confine func() error
	// Expendable is how readily the kernel ends the process when memory runs
	// out, from 0 (like this program) to 1000 (first), as oom_score_adj in
	// proc(5). It has no effect where the system knows no such thing.
	Expendable int
}

// Exit is how a process ended.
type Exit struct {
	Code   int       // exit code, or 128 + signal number, as a shell counts
	Signal os.Signal // nil unless a signal ended it
	At     time.Time
}

// String describes the exit the way a person would.
func (e Exit) String() string {
	if e.Signal != nil {
		return fmt.Sprintf("ended by signal: %s", e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Process is a running or ended process.
type Process struct {
	cmd     *exec.Cmd
	started time.Time
	done    chan struct{}
	exit    Exit
}

// Start starts a process. It ends with the calling program at the latest,
// even if that is killed (on Linux, by a parent death signal; elsewhere the
// caller has to end it).
func Start(spec Spec) (*Process, error) {
	cmd := exec.Command(spec.Path, spec.Args...)
	if spec.Name != "" {
		cmd.Args[0] = spec.Name
	}
	cmd.Env = spec.Env
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	cmd.Dir = spec.Dir
	cmd.Stdout, cmd.Stderr = spec.Output, spec.Output
	if spec.Errors != nil {
		cmd.Stderr = spec.Errors
	}
	if spec.Input != nil { // a nil file is not a nil reader
		cmd.Stdin = spec.Input
	}
	if spec.Terminal != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = spec.Terminal, spec.Terminal, spec.Terminal
	}
	// Descendants that keep the output open must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = sysProcAttr(spec.Terminal != nil)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started, spec.Confine)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Path, err)
	}
	if spec.Expendable > 0 {
		expend(p.Pid(), spec.Expendable)
	}
	return p, nil
}

// run starts the process and waits for it on one locked thread: Linux sends
// the parent death signal when the thread that forked ends, not the process.
func (p *Process) run(started chan<- error, confine func() error) {
	runtime.LockOSThread()
	var err error
	if confine == nil {
		defer runtime.UnlockOSThread()
	} else {
		err = confine() // without being unlocked, the thread ends with this goroutine
	}
	if err == nil {
		err = marked(markOf(p.cmd.Env), p.cmd.Start)
	}
	p.started = time.Now()
	started <- err
	if err != nil {
		return
	}
	err = p.cmd.Wait()
	p.exit = Exit{At: time.Now()}
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		p.exit.Code = failed.ExitCode()
		if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			p.exit.Signal = status.Signal()
			p.exit.Code = 128 + int(status.Signal())
		}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		p.exit.Code = 1
	}
	close(p.done)
}

// Pid returns the process ID.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Started returns when the process started.
func (p *Process) Started() time.Time { return p.started }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit tells how the process ended. It waits for Done.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Stop asks the process to end (SIGTERM), kills it (SIGKILL) once grace has
// passed, and returns when it has ended. A grace of zero kills at once. SIGTERM
// goes to the process's group, SIGKILL to its whole session.
func (p *Process) Stop(grace time.Duration) Exit {
	if grace > 0 {
		p.signal(syscall.SIGTERM)
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
			return p.exit
		case <-timer.C:
		}
	}
	p.signal(syscall.SIGKILL)
	return p.Exit()
}

// Hangup tells the process that its terminal or its client is gone (SIGHUP).
func (p *Process) Hangup() { p.signal(syscall.SIGHUP) }

// signal sends sig to the process and what it started. The process leads its
// own session and group (see sysProcAttr).
func (p *Process) signal(sig syscall.Signal) {
	select {
	case <-p.done: // its ID may belong to another process by now
		return
	default:
		_ = syscall.Kill(-p.Pid(), sig) // gone already: nothing left to signal
	}
	if sig == syscall.SIGKILL {
		endSession(p.Pid())
	}
}

// EndRest kills what the process has left running in its session, once it has
// ended itself: jobs in the background, for example. It finds no process that
// began a session of its own.
func (p *Process) EndRest() {
	<-p.done
	endSession(p.Pid())
}
