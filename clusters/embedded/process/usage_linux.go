package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// RSS returns how many bytes of memory the process pid has in use, as
// /proc/PID/statm says (proc(5)), or 0 if it cannot be told.
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
