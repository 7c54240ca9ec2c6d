package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forget unmaps the pages of this program's own file that have been touched so far. Five programs in one file
// initialise all their packages in each process, which maps some 40 MB that only one of them needs again, if any. What
// is needed comes back from the page cache.
func forget() {
	own, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // it only saves memory
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		// 00400000-02a1f000 r-xp 00000000 fe:00 1234  /path/of/kube
		fields := strings.Fields(line)
		if len(fields) != 6 || fields[5] != own || strings.Contains(fields[1], "w") {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil {
			// What fails here stays mapped.
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, uintptr(start), uintptr(end-start), syscall.MADV_DONTNEED)
		}
	}
}
