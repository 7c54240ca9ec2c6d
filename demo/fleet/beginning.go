package fleet

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // Git's own checksum of a packfile
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/format/packfile"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/plumbing/revlist"
	"github.com/go-git/go-git/v6/plumbing/storer"
	"github.com/go-git/go-git/v6/storage/memory"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// BeginningFile is the file in a cluster's folder that keeps the beginning of its fleet.
const BeginningFile = "beginning.bundle"

// How the first commit of a demo's fleet is signed, what it says, and a file that it has.
const (
	Author           = "fluxdemo"
	AuthorEmail      = "fluxdemo@localhost"
	BeginningMessage = "The demo's fleet"
	syncFile         = "clusters/demo/flux-system/gotk-sync.yaml"
)

// ClusterDir is the folder of the fleet that Flux applies first.
const ClusterDir = "clusters/demo"

// ErrNoBeginning says that no commit in a history is provably one with which a demo began.
var ErrNoBeginning = errors.New("fluxdemo did not create this history")

// Beginning is the commit with which a demo has begun its fleet, with all its files. It has no parent, so it means the
// same whatever becomes of the fleet's history.
type Beginning struct {
	// Commit is its hash, 40 hexadecimal digits.
	Commit string
	store  *memory.Storage
}

// NewBeginning takes a commit without parents out of from.
func NewBeginning(from storer.EncodedObjectStorer, commit plumbing.Hash) (*Beginning, error) {
	b := &Beginning{Commit: commit.String(), store: memory.NewStorage()}
	if err := b.copyTo(b.store, from); err != nil {
		return nil, err
	}
	return b, b.check()
}

// FindBeginning looks through the whole history of head, in from, for the commit with which a demo has begun it: one
// without parents that is signed, worded and filled as the demo does it. Of several it takes the oldest. It returns
// ErrNoBeginning if there is none, and the number of commits without parents that are no demo's.
func FindBeginning(from storer.EncodedObjectStorer, head plumbing.Hash) (b *Beginning, others int, err error) {
	start, err := object.GetCommit(from, head)
	if err != nil {
		return nil, 0, fmt.Errorf("finding the beginning of the fleet: %w", err)
	}
	var found *object.Commit
	err = object.NewCommitPreorderIter(start, nil, nil).ForEach(func(c *object.Commit) error {
		switch {
		case c.NumParents() > 0:
		case !begun(c):
			others++
		case found == nil || c.Committer.When.Before(found.Committer.When):
			found = c
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("finding the beginning of the fleet: %w", err)
	}
	if found == nil {
		return nil, others, ErrNoBeginning
	}
	b, err = NewBeginning(from, found.Hash)
	return b, others, err
}

// begun reports whether a demo has made a commit as the first one of its fleet.
func begun(c *object.Commit) bool {
	for _, who := range []object.Signature{c.Author, c.Committer} {
		if who.Name != Author || who.Email != AuthorEmail {
			return false
		}
	}
	if strings.TrimSpace(c.Message) != BeginningMessage {
		return false
	}
	_, err := c.File(syncFile)
	return err == nil
}

// bundleHead is how a bundle with one branch begins (gitformat-bundle(5), version 2); the packfile follows.
const bundleHead = "# v2 git bundle\n%s " + string(Branch) + "\n\n"

// Keep writes the beginning to a file: a Git bundle, from which `git fetch FILE main` reads it.
func (b *Beginning) Keep(file string) error {
	var raw bytes.Buffer
	fmt.Fprintf(&raw, bundleHead, b.Commit)
	objects, err := revlist.Objects(b.store, []plumbing.Hash{plumbing.NewHash(b.Commit)}, nil)
	if err == nil {
		_, err = packfile.NewEncoder(&raw, b.store, false).Encode(objects, 0)
	}
	if err == nil {
		err = statefile.Write(file, raw.Bytes(), 0o600)
	}
	if err != nil {
		return fmt.Errorf("saving the beginning of the fleet: %w", err)
	}
	return nil
}

// ReadBeginning reads what Keep has written. The error is fs.ErrNotExist if there is no such file, and says what to do
// if it is damaged.
func ReadBeginning(file string) (*Beginning, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the beginning of the fleet: %w", err)
	}
	b, err := parseBundle(raw)
	if err != nil {
		return nil, fmt.Errorf("%s is damaged (%w); remove it, then run `fluxdemo up` to find the beginning of the fleet again", file, err)
	}
	return b, nil
}

func parseBundle(raw []byte) (*Beginning, error) {
	size := len(fmt.Sprintf(bundleHead, plumbing.ZeroHash))
	if len(raw) < size+sha1.Size {
		return nil, io.ErrUnexpectedEOF
	}
	_, hash, _ := strings.Cut(string(raw[:size]), "\n")
	b := &Beginning{Commit: hash[:len(plumbing.ZeroHash.String())], store: memory.NewStorage()}
	if string(raw[:size]) != fmt.Sprintf(bundleHead, b.Commit) {
		return nil, errors.New("it is not a bundle of one commit")
	}
	pack, sum := raw[size:len(raw)-sha1.Size], raw[len(raw)-sha1.Size:]
	if now := sha1.Sum(pack); !bytes.Equal(now[:], sum) { //nolint:gosec // as above
		return nil, errors.New("its checksum is wrong")
	}
	if err := packfile.UpdateObjectStorage(b.store, bytes.NewReader(raw[size:])); err != nil {
		return nil, err
	}
	return b, b.check()
}

// check makes sure that all of the commit is there.
func (b *Beginning) check() error {
	commit, err := object.GetCommit(b.store, plumbing.NewHash(b.Commit))
	if err != nil {
		return err
	}
	if commit.NumParents() > 0 {
		return fmt.Errorf("the commit %s has parents", b.Commit)
	}
	_, err = revlist.Objects(b.store, []plumbing.Hash{commit.Hash}, nil)
	return err
}

// copyTo copies the commit with all that belongs to it.
func (b *Beginning) copyTo(to, from storer.EncodedObjectStorer) error {
	objects, err := revlist.Objects(from, []plumbing.Hash{plumbing.NewHash(b.Commit)}, nil)
	if err != nil {
		return err
	}
	for _, hash := range objects {
		o, err := from.EncodedObject(plumbing.AnyObject, hash)
		if err != nil {
			return err
		}
		if _, err := to.SetEncodedObject(o); err != nil {
			return err
		}
	}
	return nil
}

// Repository returns a repository in memory whose only commit is the beginning, on Branch.
func (b *Beginning) Repository() (*git.Repository, error) {
	store := memory.NewStorage()
	repository, err := git.Init(store, git.WithDefaultBranch(Branch))
	if err != nil {
		return nil, err
	}
	if err := b.copyTo(store, b.store); err != nil {
		return nil, err
	}
	return repository, store.SetReference(plumbing.NewHashReference(Branch, plumbing.NewHash(b.Commit)))
}

// Import adds the beginning to the copy, so that Restore can bring the branch back to it.
func (r *Repository) Import(b *Beginning) error {
	copied := r.open()
	defer copied.close()
	if err := b.copyTo(copied, b.store); err != nil {
		return fmt.Errorf("adding the beginning of the fleet to the copy in %s: %w", r.Copy, err)
	}
	return nil
}

// Beginning returns the beginning of the fleet that file keeps. If there is no such file, as an earlier version has
// left it, the beginning is looked for in the history of the branch and kept. The error is ErrNoBeginning if it is not
// there either.
func (r *Repository) Beginning(ctx context.Context, file string) (*Beginning, error) {
	b, err := ReadBeginning(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	head, err := r.Head(ctx)
	if err != nil {
		return nil, err
	}
	copied := r.open()
	defer copied.close()
	b, _, err = FindBeginning(copied, plumbing.NewHash(head))
	if errors.Is(err, ErrNoBeginning) {
		err = fmt.Errorf("%w; `fluxdemo up` creates a new beginning", err)
	}
	if err != nil {
		return nil, err
	}
	return b, b.Keep(file)
}
