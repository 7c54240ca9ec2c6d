package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// leftProcesses lists the processes that have dir in their command line,
// environment or working folder. Without /proc it lists none.
func leftProcesses(dir string) []string {
	entries, _ := os.ReadDir("/proc")
	var found []string
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		proc := filepath.Join("/proc", entry.Name())
		command, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		environment, _ := os.ReadFile(filepath.Join(proc, "environ"))
		folder, _ := os.Readlink(filepath.Join(proc, "cwd"))
		if bytes.Contains(command, []byte(dir)) || bytes.Contains(environment, []byte(dir)) || strings.HasPrefix(folder, dir) {
			found = append(found, fmt.Sprintf("process %d: %s", pid, bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// leftFiles lists what is not a folder under dir.
func leftFiles(dir string) []string {
	var found []string
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if relative, err := filepath.Rel(dir, path); err == nil {
				path = relative
			}
			found = append(found, "file "+path)
		}
		return nil // a folder that is not there has nothing in it
	})
	return found
}
