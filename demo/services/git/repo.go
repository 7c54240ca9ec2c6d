package git

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	gogit "github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/cache"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/plumbing/storer"
	"github.com/go-git/go-git/v6/storage/filesystem"

	"github.com/fluxdemo/fluxdemo/demo/gitstore"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// cacheSize bounds the unpacked objects that one repository keeps in memory.
const cacheSize = 16 * cache.MiByte

// repo is one bare repository. Objects never change once written, so readers take no lock.
type repo struct {
	name  string // "fleet"
	dir   string // absolute path of fleet.git
	cache cache.Object
	// refs is held while references are compared and written: of two pushes that start from the same commit, one wins.
	refs sync.Mutex
	// upstream is where its branches truly are; nil if that is here.
	upstream *forge.Repository
	// journal is held while the file of delivered webhooks is read and written.
	journal sync.Mutex
	pushes  *pushLog
	resets  map[plumbing.ReferenceName]*resetMark // under refs
}

// refUpdate is one reference that a push has changed; a zero hash means that it was not there, or is no more.
type refUpdate struct {
	Ref           plumbing.ReferenceName
	Before, After plumbing.Hash
}

// openRepo opens <root>/<name>.git and creates it, bare and empty, if it is not there.
func openRepo(root, name string) (*repo, error) {
	r := &repo{name: name, dir: filepath.Join(root, name+".git"), cache: cache.NewObjectLRU(cacheSize)}
	if err := makeRepo(root, name, r.dir); err != nil {
		return nil, err
	}
	var err error
	if r.pushes, err = openPushLog(r.dir); err != nil {
		return nil, fmt.Errorf("opening repository %s: %w", name, err)
	}
	if r.resets, err = readResets(r.dir); err != nil {
		return nil, fmt.Errorf("opening repository %s: %w", name, err)
	}
	return r, nil
}

// makeRepo creates the repository in dir, below root, if it is not there.
func makeRepo(root, name, dir string) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("creating the folder of the repositories: %w (choose another --root)", err)
	}
	// A new repository gets its name when it is complete; a folder without HEAD is not a repository.
	if _, err := os.Stat(filepath.Join(dir, "HEAD")); err == nil {
		return nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("looking for repository %s: %w", name, err)
	}
	tmp, err := os.MkdirTemp(root, ".new-*")
	if err != nil {
		return fmt.Errorf("creating repository %s: %w (choose another --root)", name, err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // renamed away by then, or rubbish
	g, err := gogit.PlainInit(tmp, true, gogit.WithDefaultBranch(plumbing.Main))
	if err != nil {
		return fmt.Errorf("creating repository %s: %w", name, err)
	}
	if err := g.Close(); err != nil {
		return fmt.Errorf("creating repository %s: %w", name, err)
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return fmt.Errorf("creating repository %s: %w", name, err)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("creating repository %s: %w", name, err)
	}
	return nil
}

// open returns the storage for one request; each has its own, so that nothing in it is shared but the cache.
func (r *repo) open() *filesystem.Storage {
	return gitstore.Open(r.dir, r.cache)
}

// tips returns the branches, tags and other references with the commits (or tags) they point to.
func (r *repo) tips() (map[plumbing.ReferenceName]plumbing.Hash, error) {
	st := r.open()
	defer closeStorage(st)
	return tipsOf(st)
}

func tipsOf(st storer.ReferenceStorer) (map[plumbing.ReferenceName]plumbing.Hash, error) {
	it, err := st.IterReferences()
	if err != nil {
		return nil, fmt.Errorf("reading references: %w", err)
	}
	tips := map[plumbing.ReferenceName]plumbing.Hash{}
	err = it.ForEach(func(ref *plumbing.Reference) error {
		if ref.Type() == plumbing.HashReference && strings.HasPrefix(ref.Name().String(), "refs/") {
			tips[ref.Name()] = ref.Hash()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading references: %w", err)
	}
	return tips, nil
}

// head returns the branch that HEAD names.
func head(st storer.ReferenceStorer) (plumbing.ReferenceName, error) {
	ref, err := st.Reference(plumbing.HEAD)
	if err != nil {
		return "", fmt.Errorf("reading HEAD: %w", err)
	}
	return ref.Target(), nil
}

// setRef writes a reference in one step: a reader, or a crash, sees the old value or the new one and never half a file.
func (r *repo) setRef(name plumbing.ReferenceName, h plumbing.Hash) error {
	path := filepath.Join(r.dir, filepath.FromSlash(name.String()))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return writeFile(r.dir, path, []byte(h.String()+"\n"))
}

// removeRef deletes a reference and the folders that it leaves empty, so that "a" can follow "a/b".
func (r *repo) removeRef(st storer.ReferenceStorer, name plumbing.ReferenceName) error {
	if err := st.RemoveReference(name); err != nil {
		return fmt.Errorf("deleting %s: %w", name, err)
	}
	parts := strings.Split(name.String(), "/")
	for n := len(parts) - 1; n > 2; n-- {
		// Fails, as it should, at the first folder that is not empty.
		if os.Remove(filepath.Join(r.dir, filepath.Join(parts[:n]...))) != nil {
			break
		}
	}
	return nil
}

// ancestor says whether old is in the history of h.
func ancestor(st storer.EncodedObjectStorer, old, h plumbing.Hash) bool {
	a, err := object.GetCommit(st, old)
	if err != nil {
		return false
	}
	b, err := object.GetCommit(st, h)
	if err != nil {
		return false
	}
	ok, err := a.IsAncestor(b)
	return err == nil && ok
}

// writeFile replaces path in one step; dir holds the temporary file and must be on the same file system. It is not
// synced to disk, as objects are not: after a power cut a reference must not be newer than what it points to, and what
// the journal lacks is delivered again.
func writeFile(dir, path string, data []byte) error {
	f, err := os.CreateTemp(dir, "tmp-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

// closeStorage lets go of index files; there is nothing to lose when that fails.
func closeStorage(c io.Closer) { _ = c.Close() }
