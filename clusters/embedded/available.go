package embedded

import (
	"context"
	"fmt"
	"runtime"

	"github.com/adrg/xdg"
	"golang.org/x/sys/unix"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/fence"
)

// Available reports whether this machine can run embedded clusters. They need
// nothing but a folder with some room.
func Available(context.Context) error {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return fmt.Errorf("embedded clusters run on Linux and macOS, not on %s", runtime.GOOS)
	}
	return enoughRoom(xdg.StateHome)
}

// Has reports whether there is a cluster of this provider called name, running or
// not, in the folder of all clusters.
func Has(stateDir, name string) bool {
	return newFolder(stateDir, name, nil).Has()
}

// freeBytes is what a cluster wants to have on disk: etcd's log and the
// controllers' artifacts took about 250 MB in a long demo.
const freeBytes = 300 << 20

// enoughRoom returns an error if the file system of dir is too full. A
// folder that does not exist yet has room.
func enoughRoom(dir string) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return nil
	}
	if free := int64(disk.Bavail) * int64(disk.Bsize); free < freeBytes {
		return fmt.Errorf("only %d MB are free in %s, and a cluster needs %d MB; free some space, or choose another folder with XDG_STATE_HOME", free>>20, dir, freeBytes>>20)
	}
	return nil
}

// Fence says what this machine's kernel confines pods with, for people.
func Fence() string { return fence.Probe().String() }
