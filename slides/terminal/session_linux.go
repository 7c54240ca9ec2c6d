package terminal

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// awaitExit waits until the shell has ended. It stays a zombie, so that no other process gets its number, which names the
// session.
func awaitExit(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// signalSession sends a signal to each process of the shell's session. Background jobs have process groups of their own.
func signalSession(cmd *exec.Cmd, s syscall.Signal) {
	for _, pid := range session(cmd.Process.Pid) {
		_ = syscall.Kill(pid, s) // it may have ended
	}
}

// sessionLives reports whether a process of the shell's session has not ended.
func sessionLives(cmd *exec.Cmd) bool { return len(session(cmd.Process.Pid)) > 0 }

// session returns the processes of a session that have not ended.
func session(id int) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// After the name in parentheses: state, parent, process group, session.
		fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
		if len(fields) < 4 || string(fields[0]) == "Z" || string(fields[3]) != strconv.Itoa(id) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
