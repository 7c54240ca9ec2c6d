package process

import (
	"sync"

	"golang.org/x/sys/unix"
)

// markLimit carries marks. A limit passes from a process to all that it starts,
// whatever these do to their environment, session, and parents. This one is in
// microseconds, and for real-time processes: at this size, it limits nothing.
const markLimit = unix.RLIMIT_RTTIME

// inherited is held while a process is started, because what that inherits are
// this process's own limits.
var inherited sync.Mutex //nolint:gochecknoglobals // there is one set of limits, so there is one lock

// marked calls start so that the process that it starts has the mark. Without
// the right to set the limit, only the environment has it.
func marked(mark string, start func() error) error {
	inherited.Lock()
	defer inherited.Unlock()
	var before unix.Rlimit
	if mark == "" || unix.Prlimit(0, markLimit, nil, &before) != nil {
		return start()
	}
	if unix.Prlimit(0, markLimit, &unix.Rlimit{Cur: uint64(tagOf(mark)), Max: before.Max}, nil) == nil {
		defer func() { _ = unix.Prlimit(0, markLimit, &before, nil) }() // this process was allowed to have it
	}
	return start()
}

// tagIn returns the mark that the process's limit carries.
func tagIn(pid int) (tag, bool) {
	var limit unix.Rlimit
	if unix.Prlimit(pid, markLimit, nil, &limit) != nil { // gone, or another user's
		return 0, false
	}
	n := tag(limit.Cur)
	return n, n>>62 == isMark>>62
}
