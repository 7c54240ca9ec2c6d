package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// RSS returns the resident memory of the process pid in bytes, as
// /proc/PID/statm says (proc(5)), or 0 if it is unknown.
func RSS(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(raw)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// expend raises how readily the kernel ends the process, which every user may
// do. A process that has just ended needs nothing any more.
func expend(pid, score int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(score)), 0)
}
