package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// Lock makes sure that only one command at a time changes a cluster. The lock
// file is beside the cluster's folder, and exists only while it is locked.
func Lock(cluster clusters.Cluster) (unlock func(), err error) {
	const advice = "choose another state folder with XDG_STATE_HOME"
	dir := cluster.Dir()
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("cannot write the state folder: %w; %s", err, advice)
	}
	path := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".lock")
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("cannot write the state folder: %w; %s", err, advice)
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			file.Close()
			return nil, fmt.Errorf("another fluxdemo is changing the cluster %q; wait until it has finished", filepath.Base(dir))
		}
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("cannot lock the cluster: %w; %s", err, advice)
		}
		if isFile(file, path) {
			return func() { release(file, path) }, nil
		}
		file.Close() // it was removed between opening and locking
	}
}

// isFile reports whether path still names file.
func isFile(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(mine, now)
}

// release gives up the lock and removes its file, and the state folder if
// nothing else is in it.
func release(file *os.File, path string) {
	_ = os.Remove(path)               // while it is locked: see isFile
	_ = os.Remove(filepath.Dir(path)) // stays if it holds anything
	file.Close()
}
