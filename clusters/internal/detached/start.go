package detached

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// readyLine is what a detached process writes to file descriptor 3 once it
// is ready.
const readyLine = "listening\n"

// Command says how to start a process.
type Command struct {
	Program  string        // path of the executable
	Args     []string      // without the program's name and the command
	Env      []string      // the whole environment
	Patience time.Duration // until it is ready, at most; 0 for as long as ctx allows
}

// Start starts the process in a session of its own and returns when it has
// called Ready. One that ends before, or takes too long, is a
// *clusters.LogError; that process is gone then. The folders of Lock and Log
// must exist.
func (p Process) Start(ctx context.Context, c Command) error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	hears, tells, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hears.Close()
	cmd := exec.Command(c.Program, append([]string{p.Verb}, c.Args...)...)
	cmd.Env = c.Env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{tells} // file descriptor 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	tells.Close()
	if err != nil {
		return fmt.Errorf("starting the %s: %w", p.Name, err)
	}
	if c.Patience > 0 {
		if err := hears.SetReadDeadline(time.Now().Add(c.Patience)); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { hears.Close() })
	defer stop()
	// Whatever it says, or its end, ends the wait.
	if said, _ := bufio.NewReader(hears).ReadString('\n'); said == readyLine {
		return cmd.Process.Release()
	}
	_ = cmd.Process.Kill() // it has ended, or is of no use
	_ = cmd.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &clusters.LogError{Err: fmt.Errorf("the %s did not start", p.Name), Log: p.Log}
}

// Ready tells the command that started this process with Start that it is
// ready. It does nothing in a process that was started in another way.
func Ready() {
	starter := os.NewFile(3, "started-by")
	if starter == nil {
		return
	}
	_, _ = io.WriteString(starter, readyLine) // the command may have gone
	starter.Close()
}
