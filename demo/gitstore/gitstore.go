// Package gitstore opens Git repositories in folders so that a process killed at any moment leaves them usable. A file
// gets its name when it is complete, and what a client notes besides objects stays in memory.
package gitstore

import (
	"github.com/go-git/go-billy/v6/osfs"
	"github.com/go-git/go-git/v6/plumbing/cache"
	"github.com/go-git/go-git/v6/storage/filesystem"
	"github.com/go-git/go-git/v6/storage/memory"
)

// Open returns the storage of the bare repository in dir, which is created with the first object. Objects and their
// indexes are written in one step each. References are not: go-git empties the file of a reference before it writes it, so SetReference is not
// for a repository that has to survive a crash. objects is a cache, which other storages may share; nil means one of
// its own. Call Close when done.
func Open(dir string, objects cache.Object) *filesystem.Storage {
	return filesystem.NewStorage(folder{osfs.New(dir, osfs.WithBoundOS())}, objects)
}

// Client is a [github.com/go-git/go-git/v6/storage.Storer] for fetching and pushing: its objects are in a folder, where
// they stay, and its references and configuration are in memory.
type Client struct {
	*filesystem.ObjectStorage
	memory.ReferenceStorage
	memory.ModuleStorage
	*memory.ShallowStorage
	*memory.ConfigStorage
	*memory.IndexStorage
}

// NewClient returns a Client without references that keeps its objects where st does. Closing st closes it.
func NewClient(st *filesystem.Storage) *Client {
	return &Client{
		ObjectStorage:    &st.ObjectStorage,
		ReferenceStorage: memory.ReferenceStorage{},
		ModuleStorage:    memory.ModuleStorage{},
		ShallowStorage:   &memory.ShallowStorage{},
		ConfigStorage:    &memory.ConfigStorage{},
		IndexStorage:     &memory.IndexStorage{},
	}
}

// AddAlternate does nothing: a Client has no other place for objects.
func (*Client) AddAlternate(string) error { return nil }
