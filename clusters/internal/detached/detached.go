// Package detached starts, finds, and stops the background processes of a
// cluster. Such a process holds a lock in the cluster's folder for as long as
// it lives. The lock identifies it even if the file with its address is lost.
package detached

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld is returned by Lock when another process holds the lock.
var ErrHeld = errors.New("another process has the lock")

// Process is a detached process.
type Process struct {
	Name string // for messages: "supervisor"
	Lock string // path of the file that it has locked
	Verb string // the command of fluxdemo that it runs, for example "supervise"
	Log  string // path of the file that takes what it prints
}

// probeTime is for how long a process that looks whether a lock is held may
// be in the way of one that takes it.
const probeTime = time.Second

// poll is how often a lock that is held is tried again. It cannot be watched.
const poll = 10 * time.Millisecond

// Hold takes the lock for the calling process, which keeps it until it calls
// release or ends. It fails with ErrHeld.
func (p Process) Hold(ctx context.Context) (release func(), err error) {
	file, err := os.OpenFile(p.Lock, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	held, err := await(ctx, file, unix.LOCK_EX)
	if err != nil || held {
		file.Close()
	}
	switch {
	case err != nil:
		return nil, err
	case held:
		return nil, ErrHeld
	}
	return func() { file.Close() }, nil
}

// await tries to lock a file until that works or ctx ends: then it is held.
func await(ctx context.Context, file *os.File, how int) (held bool, err error) {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return false, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return false, err
		}
		select {
		case <-ctx.Done():
			return true, nil
		case <-tick.C:
		}
	}
}

// Runs reports whether a process holds the lock.
func (p Process) Runs() (bool, error) {
	ended, cancel := context.WithCancel(context.Background())
	cancel() // try once
	return p.runs(ended)
}

func (p Process) runs(ctx context.Context) (bool, error) {
	file, err := os.Open(p.Lock)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	// Shared: several may look at once.
	return await(ctx, file, unix.LOCK_SH)
}

// AwaitEnd returns when the process has ended, or ctx has: then it returns
// false.
func (p Process) AwaitEnd(ctx context.Context) (bool, error) {
	runs, err := p.runs(ctx)
	return !runs, err
}

// End asks the process to stop, and does not wait. It needs no address of the
// process, and fails unless the process is certain: it belongs to this user,
// was started with the command Verb, and has the lock's file open. On a system
// that does not show this, End relies on recorded: the process ID that the
// process has saved, or 0 if it is unknown.
func (p Process) End(recorded int) error { return p.signal(recorded, syscall.SIGTERM) }

// Kill ends a process that does not hear End, as certain of it as End is.
func (p Process) Kill(recorded int) error { return p.signal(recorded, syscall.SIGKILL) }

func (p Process) signal(recorded int, sig syscall.Signal) error {
	shown := runtime.GOOS == "linux"
	pid, found := p.find()
	if !found && !shown {
		pid = recorded
	}
	if pid == 0 {
		return fmt.Errorf("the process ID is unknown: kill `fluxdemo %s` of %s, then run the same command again", p.Verb, filepath.Dir(filepath.Dir(p.Lock)))
	}
	// A handle first, then another look: the number may be another's by now.
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil // it has ended
	}
	defer process.Release() //nolint:errcheck // nothing is lost
	if shown && !p.is(pid) {
		return nil
	}
	if err := process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping process %d: %w", pid, err)
	}
	return nil
}

// Stopped returns the number of the process, 0 if it cannot be seen, and whether
// it is stopped: by a debugger, by SIGSTOP, or by a key in a terminal.
func (p Process) Stopped() (pid int, stopped bool) {
	pid, found := p.find()
	if !found {
		return 0, false
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return pid, false
	}
	_, after, _ := strings.Cut(string(raw), ") ") // the name before may have anything in it
	return pid, strings.HasPrefix(after, "T") || strings.HasPrefix(after, "t")
}

// PID is the number of the process, 0 if it cannot be seen.
func (p Process) PID() int {
	pid, _ := p.find()
	return pid
}

// find looks through /proc, which only Linux has.
func (p Process) find() (pid int, found bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, false
	}
	for _, entry := range entries {
		if _, err := fmt.Sscanf(entry.Name(), "%d", &pid); err == nil && p.is(pid) {
			return pid, true
		}
	}
	return 0, false // pid may be another's
}

// is reports whether a process is the one: see End.
func (p Process) is(pid int) bool {
	dir := fmt.Sprintf("/proc/%d", pid)
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() {
		return false
	}
	raw, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return false
	}
	args := strings.Split(string(raw), "\x00")
	if len(args) < 2 || args[1] != p.Verb {
		return false
	}
	lock, err := os.Stat(p.Lock)
	if err != nil {
		return false
	}
	open, err := filepath.Glob(filepath.Join(dir, "fd", "*"))
	return err == nil && slices.ContainsFunc(open, func(fd string) bool {
		file, err := os.Stat(fd)
		return err == nil && os.SameFile(file, lock)
	})
}
