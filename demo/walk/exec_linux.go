package walk

import "syscall"

// inGroup puts a program in a process group of its own, and ends it when this process is killed: what it would
// still do would come between the undo and the second try of the next run.
func inGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
