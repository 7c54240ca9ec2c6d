package embedded

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// stranger reports whether another process than pid listens on a port of
// 127.0.0.1. Where it cannot tell, it says no.
func stranger(port int32, pid int) bool {
	sockets := listening(port)
	if len(sockets) == 0 {
		return false
	}
	owner, err := procfs.NewProc(pid)
	if err != nil {
		return true // the one that should listen does not run
	}
	files, err := owner.FileDescriptorTargets()
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(sockets, func(inode string) bool { return slices.Contains(files, "socket:["+inode+"]") })
}

// listening returns the inodes of the sockets that listen on a port and take
// connections to 127.0.0.1 (proc_net(5)).
func listening(port int32) (inodes []string) {
	const (
		local, state, inode = 1, 3, 9 // columns
		listens             = "0A"
	)
	suffix := ":" + strings.ToUpper(strconv.FormatInt(int64(port)|1<<16, 16)[1:])
	own := []string{
		"0100007F", "00000000", // 127.0.0.1, and all addresses
		strings.Repeat("0", 32), "0000000000000000FFFF00000100007F", // the same in IPv6
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			columns := strings.Fields(line)
			if len(columns) <= inode || columns[state] != listens {
				continue
			}
			if address, ok := strings.CutSuffix(columns[local], suffix); ok && slices.Contains(own, address) {
				inodes = append(inodes, columns[inode])
			}
		}
	}
	return inodes
}
