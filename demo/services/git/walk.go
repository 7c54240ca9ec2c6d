package git

import (
	"container/heap"
	"fmt"
	"maps"
	"slices"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/filemode"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/storage"
)

// transfer says what one side asks for and what it has already.
type transfer struct {
	wants, haves []plumbing.Hash
	// shallow are the commits that the receiver has without their parents.
	shallow map[plumbing.Hash]bool
	// depth is how many commits deep the receiver wants to go; 0 is all.
	depth int
	// verify makes the walk fail when a file's content is missing.
	verify bool
}

// walk finds the objects of one transfer.
type walk struct {
	st      storage.Storer
	t       transfer
	commits map[plumbing.Hash]*object.Commit
	seen    map[plumbing.Hash]bool
	objects []plumbing.Hash
}

func newWalk(st storage.Storer, t transfer) *walk {
	return &walk{st: st, t: t, commits: map[plumbing.Hash]*object.Commit{}, seen: map[plumbing.Hash]bool{}}
}

// missingObjects returns the objects that the receiver needs and lacks; it may name some that the receiver has.
func missingObjects(st storage.Storer, t transfer) ([]plumbing.Hash, error) {
	w := newWalk(st, t)
	tips, err := w.tips()
	if err != nil {
		return nil, err
	}
	var fresh, common map[plumbing.Hash]bool
	if t.depth > 0 {
		fresh, common, err = w.limited(tips)
	} else {
		fresh, common, err = w.difference(tips)
	}
	if err != nil {
		return nil, err
	}
	// The receiver has the whole tree of each commit that it has: what the new commits share with these is not sent.
	for h := range fresh {
		for _, p := range w.commits[h].ParentHashes {
			if c := w.commits[p]; c != nil && common[p] {
				if err := w.tree(c.TreeHash, false); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, h := range slices.SortedFunc(maps.Keys(fresh), func(a, b plumbing.Hash) int { return a.Compare(b.Bytes()) }) {
		w.add(h)
		if err := w.tree(w.commits[h].TreeHash, true); err != nil {
			return nil, err
		}
	}
	return w.objects, nil
}

// tips returns the wanted commits; wanted tags, trees and blobs are noted as objects on the way.
func (w *walk) tips() ([]plumbing.Hash, error) {
	var tips []plumbing.Hash
	for _, h := range w.t.wants {
		for {
			o, err := w.st.EncodedObject(plumbing.AnyObject, h)
			if err != nil {
				return nil, fmt.Errorf("reading object %s: %w", h, err)
			}
			switch o.Type() {
			case plumbing.CommitObject:
				tips = append(tips, h)
			case plumbing.TagObject:
				tag, err := object.GetTag(w.st, h)
				if err != nil {
					return nil, fmt.Errorf("reading tag %s: %w", h, err)
				}
				w.add(h)
				h = tag.Target
				continue
			case plumbing.TreeObject:
				if err := w.tree(h, true); err != nil {
					return nil, err
				}
			default:
				w.add(h)
			}
			break
		}
	}
	return tips, nil
}

// limited walks at most depth commits down from the tips; a shallow receiver has few commits, so all of them are looked at.
func (w *walk) limited(tips []plumbing.Hash) (fresh, common map[plumbing.Hash]bool, err error) {
	common = map[plumbing.Hash]bool{}
	todo := w.known(w.t.haves)
	for len(todo) > 0 {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if common[h] {
			continue
		}
		common[h] = true
		if w.t.shallow[h] {
			continue
		}
		c, err := w.commit(h)
		if err != nil {
			return nil, nil, err
		}
		todo = append(todo, c.ParentHashes...)
	}
	inside, _, err := w.within(tips)
	if err != nil {
		return nil, nil, err
	}
	fresh = map[plumbing.Hash]bool{}
	for h := range inside {
		if !common[h] {
			fresh[h] = true
		}
	}
	return fresh, common, nil
}

// within returns the commits at most depth deep, and those of them where the history is cut off.
func (w *walk) within(tips []plumbing.Hash) (inside map[plumbing.Hash]bool, cut []plumbing.Hash, err error) {
	inside = map[plumbing.Hash]bool{}
	level := tips
	for d := 1; len(level) > 0; d++ {
		var next []plumbing.Hash
		for _, h := range level {
			if inside[h] {
				continue
			}
			inside[h] = true
			c, err := w.commit(h)
			if err != nil {
				return nil, nil, err
			}
			if d < w.t.depth {
				next = append(next, c.ParentHashes...)
			} else if len(c.ParentHashes) > 0 {
				cut = append(cut, h)
			}
		}
		level = next
	}
	return inside, cut, nil
}

// difference walks from the tips and from the receiver's commits at once, newest first, and stops as soon as only
// commits that the receiver has are left: a push or fetch of one commit does not read the whole history.
func (w *walk) difference(tips []plumbing.Hash) (fresh, common map[plumbing.Hash]bool, err error) {
	fresh, common = map[plumbing.Hash]bool{}, map[plumbing.Hash]bool{}
	q := &queue{}
	visit := func(h plumbing.Hash, has bool) error {
		if common[h] || (fresh[h] && !has) {
			return nil
		}
		c, err := w.commit(h)
		if err != nil {
			return err
		}
		if has {
			common[h] = true
			delete(fresh, h) // it was reached as new first; its parents are listed when it is taken again
		} else {
			fresh[h] = true
		}
		heap.Push(q, c)
		return nil
	}
	for _, h := range w.known(w.t.haves) {
		if err := visit(h, true); err != nil {
			return nil, nil, err
		}
	}
	for _, h := range tips {
		if err := visit(h, false); err != nil {
			return nil, nil, err
		}
	}
	for slices.ContainsFunc(*q, func(c *object.Commit) bool { return fresh[c.Hash] }) {
		c := heap.Pop(q).(*object.Commit)
		if w.t.shallow[c.Hash] {
			continue
		}
		for _, p := range c.ParentHashes {
			if err := visit(p, common[c.Hash]); err != nil {
				return nil, nil, err
			}
		}
	}
	return fresh, common, nil
}

// known keeps the commits that are here; a client also names commits that only it has.
func (w *walk) known(hashes []plumbing.Hash) []plumbing.Hash {
	var out []plumbing.Hash
	for _, h := range hashes {
		if _, err := w.commit(h); err == nil {
			out = append(out, h)
		} else if tag, err := object.GetTag(w.st, h); err == nil {
			if c, err := tag.Commit(); err == nil {
				out = append(out, c.Hash)
			}
		}
	}
	return out
}

func (w *walk) commit(h plumbing.Hash) (*object.Commit, error) {
	if c := w.commits[h]; c != nil {
		return c, nil
	}
	c, err := object.GetCommit(w.st, h)
	if err != nil {
		return nil, fmt.Errorf("reading commit %s: %w", h, err)
	}
	w.commits[h] = c
	return c, nil
}

// tree notes a tree and all below it, as objects to send or (send false) as objects that the receiver has.
func (w *walk) tree(h plumbing.Hash, send bool) error {
	if w.seen[h] {
		return nil
	}
	t, err := object.GetTree(w.st, h)
	if err != nil {
		return fmt.Errorf("reading tree %s: %w", h, err)
	}
	w.note(h, send)
	for _, e := range t.Entries {
		switch {
		case e.Mode == filemode.Submodule: // lives in another repository
		case e.Mode == filemode.Dir:
			if err := w.tree(e.Hash, send); err != nil {
				return err
			}
		case !w.seen[e.Hash]:
			if send && w.t.verify {
				if err := w.st.HasEncodedObject(e.Hash); err != nil {
					return fmt.Errorf("reading file %s: %w", e.Name, err)
				}
			}
			w.note(e.Hash, send)
		}
	}
	return nil
}

func (w *walk) add(h plumbing.Hash) { w.note(h, true) }

func (w *walk) note(h plumbing.Hash, send bool) {
	if w.seen[h] {
		return
	}
	w.seen[h] = true
	if send {
		w.objects = append(w.objects, h)
	}
}

// queue is a heap of commits, newest first.
type queue []*object.Commit

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].Committer.When.After(q[j].Committer.When) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*object.Commit)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}
