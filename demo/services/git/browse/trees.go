package browse

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/filemode"
	"github.com/go-git/go-git/v6/plumbing/object"
)

// compared is how many changed files of a commit are looked at. One that changes more is not written by people.
const compared = 20000

// fileAt is a file, or a submodule, with its whole path; the zero value is none.
type fileAt struct {
	Path  string
	Entry object.TreeEntry
}

// changed is what became of a file: one of the two is none if it was added or deleted.
type changed struct{ From, To fileAt }

// treeDiff compares folders. go-git can do that too, but gives up at names that it would not write to a disk, such as
// one with a newline, and these occur.
type treeDiff struct {
	st   Storage
	list []changed
}

// compareTrees returns the files that differ, sorted by path. A zero hash is an empty folder.
func compareTrees(ctx context.Context, st Storage, from, to plumbing.Hash) ([]changed, error) {
	d := &treeDiff{st: st}
	if err := d.folder(ctx, "", from, to); err != nil {
		return nil, err
	}
	return renamed(d.list), nil
}

func (d *treeDiff) folder(ctx context.Context, prefix string, from, to plumbing.Hash) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("comparing folders: %w", err)
	}
	before, err := d.entries(from)
	if err != nil {
		return err
	}
	after, err := d.entries(to)
	if err != nil {
		return err
	}
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if len(d.list) >= compared {
			return nil
		}
		a, b := before[name], after[name]
		if a.Hash.Equal(b.Hash) && a.Mode == b.Mode {
			continue
		}
		// A folder that replaces a file, or the other way round, is compared with nothing.
		var oldDir, newDir plumbing.Hash
		var ch changed
		if a.Mode == filemode.Dir {
			oldDir = a.Hash
		} else if !a.Hash.IsZero() {
			ch.From = fileAt{prefix + name, a}
		}
		if b.Mode == filemode.Dir {
			newDir = b.Hash
		} else if !b.Hash.IsZero() {
			ch.To = fileAt{prefix + name, b}
		}
		if ch != (changed{}) {
			d.list = append(d.list, ch)
		}
		if !oldDir.IsZero() || !newDir.IsZero() {
			if err := d.folder(ctx, prefix+name+"/", oldDir, newDir); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *treeDiff) entries(h plumbing.Hash) (map[string]object.TreeEntry, error) {
	if h.IsZero() {
		return map[string]object.TreeEntry{}, nil
	}
	t, err := object.GetTree(d.st, h)
	if err != nil {
		return nil, fmt.Errorf("reading a folder: %w", err)
	}
	byName := make(map[string]object.TreeEntry, len(t.Entries))
	for _, e := range t.Entries {
		byName[e.Name] = e
	}
	return byName, nil
}

// renamed joins a deleted file and an added one with the same content.
func renamed(list []changed) []changed {
	deleted := map[plumbing.Hash][]int{}
	for i, ch := range list {
		if ch.To == (fileAt{}) {
			deleted[ch.From.Entry.Hash] = append(deleted[ch.From.Entry.Hash], i)
		}
	}
	drop := map[int]bool{}
	for i, ch := range list {
		if same := deleted[ch.To.Entry.Hash]; ch.From == (fileAt{}) && len(same) > 0 {
			list[i].From = list[same[0]].From
			drop[same[0]] = true
			deleted[ch.To.Entry.Hash] = same[1:]
		}
	}
	var out []changed
	for i, ch := range list {
		if !drop[i] {
			out = append(out, ch)
		}
	}
	return out
}
