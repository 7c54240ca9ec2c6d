package fleet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/object"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/demo/gitstore"
)

// mirror is the copy of the fleet. Its objects are in a folder; its references are in memory, except for the head that
// it fetched last: from there the next fetch goes on.
type mirror struct {
	*gitstore.Client
	head string // file of the last head
}

// open returns the copy. It is created when the first commit is written.
func (r *Repository) open() *mirror {
	m := &mirror{
		Client: gitstore.NewClient(gitstore.Open(r.Copy, nil)),
		head:   filepath.Join(r.Copy, filepath.FromSlash(Branch.String())),
	}
	// Without it, or with one that is damaged, the next fetch gets the whole history again.
	raw, err := os.ReadFile(m.head)
	if hash, ok := plumbing.FromHex(strings.TrimSpace(string(raw))); err == nil && ok && m.has(hash) {
		m.ReferenceStorage[Branch] = plumbing.NewHashReference(Branch, hash)
	}
	return m
}

// has says whether a commit is in the copy.
func (m *mirror) has(commit plumbing.Hash) bool {
	_, err := object.GetCommit(m, commit)
	return err == nil
}

// remember keeps a commit, which is there with its history, as the last head.
func (m *mirror) remember(commit plumbing.Hash) error {
	if err := os.MkdirAll(filepath.Dir(m.head), 0o755); err != nil {
		return fmt.Errorf("keeping the head of the fleet: %w", err)
	}
	return statefile.Write(m.head, []byte(commit.String()+"\n"), 0o644)
}

// close lets go of index files; there is nothing to lose when that fails.
func (m *mirror) close() { _ = m.Close() }
