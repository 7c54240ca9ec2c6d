package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// lockCluster makes sure that one command at a time changes a cluster. The
// lock stands beside the cluster's folder, which down removes.
func lockCluster(cluster clusters.Cluster) (unlock func(), err error) {
	dir := cluster.Dir()
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, fmt.Errorf("cannot write the state folder: %w; choose another with XDG_STATE_HOME", err)
	}
	file := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".lock")
	lock := flock.New(file, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot lock the cluster: %w; choose another state folder with XDG_STATE_HOME", err)
	}
	if !ok {
		return nil, fmt.Errorf("another fluxdemo is changing the cluster %q just now; wait until it is done", filepath.Base(dir))
	}
	return func() { _ = lock.Unlock() }, nil
}
