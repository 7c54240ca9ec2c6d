package forward

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
)

// Listening is what a forwarder writes to file descriptor 3 once its ports
// answer.
const Listening = "listening"

const (
	startTime = 20 * time.Second
	stopTime  = 5 * time.Second
	portTime  = 10 * time.Second // for a Service that was just created
)

// Start starts a forwarder in the background, unless one runs.
func Start(ctx context.Context, o Options) error {
	if _, running := Status(o.Dir); running {
		return nil
	}
	if err := os.MkdirAll(folder(o.Dir), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(LogFile(o.Dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	hears, tells, err := os.Pipe()
	if err != nil {
		return err
	}
	defer hears.Close()
	cmd := exec.Command(o.Program, "forward", "--dir="+o.Dir, "--kubeconfig="+o.Kubeconfig, "--namespaces="+strings.Join(o.Namespaces, ","))
	cmd.Env = environ.Guest(os.Environ()) // the way to the cluster, and its credential plugin
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{tells} // file descriptor 3
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	tells.Close()
	if err != nil {
		return fmt.Errorf("starting the port forwarder: %w", err)
	}
	if err := hears.SetReadDeadline(time.Now().Add(startTime)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { hears.Close() })
	defer stop()
	// Whatever it says, or its end, ends the wait.
	said, _ := bufio.NewReader(hears).ReadString('\n')
	if strings.TrimSpace(said) == Listening {
		return cmd.Process.Release()
	}
	_ = cmd.Process.Kill() // it has ended, or is of no use
	_ = cmd.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &clusters.LogError{Err: errors.New("the port forwarder did not start"), Log: LogFile(o.Dir)}
}

// Status returns the state of the forwarder, if one runs: whoever holds the
// lock is the process that the state names.
func Status(dir string) (State, bool) {
	if _, err := os.Stat(lockFile(dir)); err != nil {
		return State{}, false
	}
	lock := flock.New(lockFile(dir))
	if free, err := lock.TryLock(); err != nil || free {
		lock.Unlock()
		return State{}, false
	}
	state, err := readState(dir)
	return state, err == nil
}

// Stop ends the forwarder, if one runs, and returns when it has ended.
func Stop(ctx context.Context, dir string) error {
	state, running := Status(dir)
	if !running {
		return nil
	}
	if err := syscall.Kill(state.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending the port forwarder (%d): %w", state.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	lock := flock.New(lockFile(dir))
	if ok, err := lock.TryLockContext(ctx, 10*time.Millisecond); err != nil || !ok {
		return fmt.Errorf("the port forwarder (%d) does not end: kill it, then run the same command again (%w)", state.PID, err)
	}
	return lock.Unlock()
}

// Port returns the port of this machine that leads to a NodePort. The
// forwarder may still have to hear of a Service that was just created.
func Port(ctx context.Context, dir string, nodePort int32) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, portTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, running := Status(dir)
		if !running {
			return 0, errors.New("the port forwarder does not run; `fluxdemo up` starts it")
		}
		if port := state.Ports[nodePort]; port != 0 {
			return port, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("NodePort %d is not forwarded, but %v are: %w", nodePort, state.numbers(), ctx.Err())
		case <-tick.C:
		}
	}
}
