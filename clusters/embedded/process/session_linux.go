package process

import (
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

const (
	// killTime is how long killed processes may take to end.
	killTime = time.Second
	// lookEvery is the pause before the list of processes is read again: what
	// was just killed may have started another process before, and only its
	// parent could wait for it.
	lookEvery = 5 * time.Millisecond
)

// endSession kills the processes of a session. A shell gives each job a group
// of its own, so killing the leader's group is not enough.
func endSession(leader int) {
	endAll(func(p procfs.Proc) bool {
		stat, err := p.Stat()
		return err == nil && stat.Session == leader && stat.State != "Z"
	})
}

// EndMarked kills every process of this user whose environment, as it was
// when the process started, has the variable with the value: for example
// "POD_DIR", "/home/me/pods/1". With MarkVariable, it also kills those that
// were started with a cleared environment: value is the mark of a container, or
// the folder of several. It reports how many there were.
func EndMarked(name, value string) int {
	mark := name + "=" + value
	return endAll(func(p procfs.Proc) bool {
		if n, ok := tagIn(p.PID); ok && name == MarkVariable && n.belongs(value) {
			stat, err := p.Stat()
			return err == nil && stat.State != "Z"
		}
		environ, err := p.Environ() // not readable: another user's
		if err != nil {
			return false
		}
		for _, entry := range environ {
			if entry == mark || strings.HasPrefix(entry, mark+"/") {
				return true
			}
		}
		return false
	})
}

func endAll(meant func(procfs.Proc) bool) int {
	ended := map[int]bool{}
	for late := time.Now().Add(killTime); time.Now().Before(late); time.Sleep(lookEvery) {
		all, err := procfs.AllProcs()
		if err != nil {
			break
		}
		found := false
		for _, p := range all {
			if p.PID != os.Getpid() && meant(p) {
				found = true
				ended[p.PID] = true
				_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may have ended
			}
		}
		if !found {
			break
		}
	}
	return len(ended)
}
