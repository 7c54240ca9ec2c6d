//go:build unix && !linux

package walk

import "syscall"

// inGroup puts a program in a process group of its own. It outlives this process when that is killed.
func inGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
