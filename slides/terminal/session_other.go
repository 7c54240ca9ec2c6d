//go:build !linux

package terminal

import (
	"os/exec"
	"syscall"
)

// awaitExit waits until the shell has ended.
func awaitExit(cmd *exec.Cmd) { _, _ = cmd.Process.Wait() }

// signalSession sends a signal to the shell's process group. The shell passes SIGHUP on to its jobs.
func signalSession(cmd *exec.Cmd, s syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, s) }

// sessionLives reports whether a process of the shell's group has not ended.
func sessionLives(cmd *exec.Cmd) bool { return syscall.Kill(-cmd.Process.Pid, 0) == nil }
