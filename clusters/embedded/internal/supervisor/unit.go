package supervisor

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

const (
	logSize = 10 << 20 // bytes; with two old files kept, 30 MB a component
	logKeep = 2
)

// unit keeps one component of the control plane running: it starts the
// process again when it ends, at once the first time and with back-off when
// it keeps ending or cannot be started.
type unit struct {
	name    string
	spec    process.Spec
	logFile string
	port    int                              // on which it listens; 0 for none
	logf    func(format string, args ...any) // of the supervisor

	mu       sync.Mutex
	proc     *process.Process
	restarts int    // attempts
	lastExit string // or why it could not be started
}

func newUnit(name string, spec process.Spec, logDir string, logf func(format string, args ...any)) *unit {
	return &unit{name: name, spec: spec, logFile: filepath.Join(logDir, name+".log"), logf: logf}
}

// run keeps the process running until ctx ends. It leaves a running process
// alone then: stop ends it, in the order that suits the whole. It returns an
// error if the process could not be started the first time.
func (u *unit) run(ctx context.Context) error {
	log, err := process.OpenLog(u.logFile, logSize, logKeep)
	if err != nil {
		return err
	}
	u.spec.Output = log
	restarts := backoff.Restarts{Backoff: backoff.Backoff{Min: 200 * time.Millisecond, Max: 10 * time.Second}, Lasting: 30 * time.Second}
	for first := true; ; first = false {
		proc, err := u.start(ctx)
		if err != nil && first {
			return err
		}
		if err == nil && proc == nil {
			return nil // ctx has ended
		}
		var ended string
		var ran time.Duration
		if err != nil {
			ended = err.Error()
		} else {
			select {
			case <-ctx.Done():
				return nil
			case <-proc.Done():
			}
			exit := proc.Exit()
			ended, ran = exit.String(), exit.At.Sub(proc.Started())
		}
		fmt.Fprintf(log, "fluxdemo: %s %s\n", u.name, ended)
		u.mu.Lock()
		u.lastExit = ended
		u.restarts++
		u.mu.Unlock()
		if ctx.Err() != nil {
			return nil
		}
		pause := restarts.Next(ran)
		u.logf("%s: %s; starting it again in %s", u.name, ended, pause)
		if !backoff.Pause(ctx, pause) {
			return nil
		}
	}
}

// start starts the process unless ctx has ended. Holding the lock over both
// leaves no gap in which stop would miss a process.
func (u *unit) start(ctx context.Context) (*process.Process, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if ctx.Err() != nil {
		return nil, nil
	}
	proc, err := process.Start(u.spec)
	if err != nil {
		return nil, err
	}
	u.proc = proc
	return proc, nil
}

// stop ends the process. The context of run must have ended before.
func (u *unit) stop(grace time.Duration) {
	u.mu.Lock()
	proc := u.proc
	u.mu.Unlock()
	if proc != nil {
		proc.Stop(grace)
	}
}

// restart ends the process at once, so that run starts it again.
func (u *unit) restart() { u.stop(0) }

// status says how the component is.
func (u *unit) status() Component {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := Component{Name: u.name, Restarts: u.restarts, LastExit: u.lastExit, Log: u.logFile, State: "Waiting"}
	if u.proc == nil {
		return c
	}
	select {
	case <-u.proc.Done():
		c.State = stateRestarting
	default:
		c.State, c.PID, c.Started = "Running", u.proc.Pid(), u.proc.Started()
		c.Memory = process.RSS(c.PID)
	}
	return c
}
