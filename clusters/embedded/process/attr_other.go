//go:build unix && !linux

package process

import "syscall"

// sysProcAttr makes the process lead a session, on its standard input if that
// is a terminal.
func sysProcAttr(terminal bool) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Setctty: terminal}
}
