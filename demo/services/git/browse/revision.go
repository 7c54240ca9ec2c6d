package browse

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/filemode"
	"github.com/go-git/go-git/v6/plumbing/object"
)

const (
	longestRevision = 255
	deepestTag      = 10   // tags of tags
	deepestPath     = 1000 // folders
)

// revision is a commit by the name that the reader used.
type revision struct {
	Name   string // empty for the default branch
	Commit *object.Commit
}

// errEmpty says that the default branch has no commits yet.
const errEmpty notFound = "there are no commits yet"

// resolve finds a commit: "" is the head of the default branch, and else a branch, a tag, a full reference, or a
// commit's hash, which may be cut to seven digits.
func resolve(st Storage, name string) (revision, error) {
	rev := revision{Name: name}
	if name == "" {
		head, err := st.Reference(plumbing.HEAD)
		if err != nil {
			return rev, fmt.Errorf("reading HEAD: %w", err)
		}
		ref, err := st.Reference(head.Target())
		if errors.Is(err, plumbing.ErrReferenceNotFound) {
			return rev, errEmpty
		}
		if err != nil {
			return rev, fmt.Errorf("reading %s: %w", head.Target(), err)
		}
		rev.Commit, err = peel(st, ref.Hash())
		return rev, err
	}
	missing := notFound(fmt.Sprintf("there is no branch, tag, or commit %q", name))
	if len(name) > longestRevision {
		return rev, missing
	}
	for _, prefix := range []string{"refs/heads/", "refs/tags/", ""} {
		full := plumbing.ReferenceName(prefix + name)
		// A name that Git would not take could be another file of the repository, or one outside of it.
		if !strings.HasPrefix(full.String(), "refs/") || full.Validate() != nil {
			continue
		}
		if ref, err := st.Reference(full); err == nil && ref.Type() == plumbing.HashReference {
			rev.Commit, err = peel(st, ref.Hash())
			return rev, err
		}
	}
	h, ok := plumbing.FromHex(name)
	if !ok {
		if h, ok = byPrefix(st, name); !ok {
			return rev, missing
		}
	}
	var err error
	if rev.Commit, err = peel(st, h); errors.Is(err, plumbing.ErrObjectNotFound) {
		return rev, missing
	}
	return rev, err
}

// byPrefix finds the only object whose hash begins with some digits.
func byPrefix(st Storage, digits string) (h plumbing.Hash, ok bool) {
	finder, can := st.(interface {
		HashesWithPrefix(prefix []byte) ([]plumbing.Hash, error)
	})
	if !can || len(digits) < 7 || len(digits) > 40 {
		return h, false
	}
	digits = strings.ToLower(digits)
	prefix, err := hex.DecodeString(digits[:len(digits)&^1])
	if err != nil {
		return h, false
	}
	all, err := finder.HashesWithPrefix(prefix)
	if err != nil {
		return h, false
	}
	found := 0
	for _, one := range all {
		if strings.HasPrefix(one.String(), digits) {
			h = one
			found++
		}
	}
	return h, found == 1
}

// peel returns the commit that a hash is, or that a tag of that hash points to.
func peel(st Storage, h plumbing.Hash) (*object.Commit, error) {
	for range deepestTag {
		tag, err := object.GetTag(st, h)
		if err != nil {
			break
		}
		h = tag.Target
	}
	c, err := object.GetCommit(st, h)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("%s is not a commit: %w", h, err)
	}
	return c, err
}

// entryAt finds what is at a path below the tree of a commit; an empty path is the tree itself. It compares names and
// does nothing else with them: in Git's objects, "..", an empty name, or one with a newline are names like others.
func entryAt(st Storage, c *object.Commit, path string) (object.TreeEntry, error) {
	e := object.TreeEntry{Mode: filemode.Dir, Hash: c.TreeHash}
	if path == "" {
		return e, nil
	}
	missing := notFound(fmt.Sprintf("there is no file or folder %q in %s", path, short(c.Hash)))
	names := strings.Split(path, "/")
	if len(names) > deepestPath {
		return e, missing
	}
	for _, name := range names {
		if e.Mode != filemode.Dir {
			return e, missing
		}
		t, err := object.GetTree(st, e.Hash)
		if err != nil {
			return e, fmt.Errorf("reading a folder: %w", err)
		}
		found := false
		for _, next := range t.Entries {
			if next.Name == name {
				e, found = next, true
				break
			}
		}
		if !found {
			return e, missing
		}
	}
	return e, nil
}

// content is a file for a page: its text, or why it is not shown.
type content struct {
	Size    int64
	Text    string
	Problem string // "" if Text is the file
}

// read returns a file of at most limit bytes.
func read(st Storage, h plumbing.Hash, limit int64) (content, error) {
	n, err := st.EncodedObjectSize(h)
	if err != nil {
		return content{}, fmt.Errorf("reading file %s: %w", h, err)
	}
	c := content{Size: n}
	if n > limit {
		c.Problem = fmt.Sprintf("The file has %s, too much to show here.", size(n))
		return c, nil
	}
	blob, err := object.GetBlob(st, h)
	if err != nil {
		return c, fmt.Errorf("reading file %s: %w", h, err)
	}
	rd, err := blob.Reader()
	if err != nil {
		return c, fmt.Errorf("reading file %s: %w", h, err)
	}
	defer rd.Close()
	raw, err := io.ReadAll(io.LimitReader(rd, limit))
	if err != nil {
		return c, fmt.Errorf("reading file %s: %w", h, err)
	}
	if binary(raw) {
		c.Problem = fmt.Sprintf("The file is binary, and has %s.", size(n))
		return c, nil
	}
	c.Text = string(raw)
	return c, nil
}

// binary guesses as Git does: by a zero byte near the beginning.
func binary(raw []byte) bool {
	return strings.IndexByte(string(raw[:min(len(raw), 8000)]), 0) >= 0
}

// lines splits text; a newline at the end begins no line.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
