package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp"
	"github.com/go-git/go-git/v6/plumbing/storer"
	"github.com/go-git/go-git/v6/storage/filesystem"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

const (
	// resetsName is the file in a repository's folder that says what resets have removed. Git ignores it.
	resetsName = "fluxdemo-resets.json"
	// keptHeads is how many removed heads a branch remembers.
	keptHeads = 500
)

// resetMark says what a reset of the demo has removed from a branch. A clone from before still has these commits, and
// its next push would bring them back without a word: for Git it is a push like others, even with --force.
type resetMark struct {
	Time   time.Time `json:"time"`
	Commit string    `json:"commit"` // where the branch was reset to
	// Heads are the removed commits that no other removed commit has as its ancestor.
	Heads []string `json:"heads"`

	removed map[plumbing.Hash]bool // Heads with all their ancestors but those of Commit; nil if it is not known yet
}

// readResets returns the marks by the full name of the branch. A file that cannot be read counts as none: then pushes
// from old clones are accepted, as Git would.
func readResets(dir string) (map[plumbing.ReferenceName]*resetMark, error) {
	marks := map[plumbing.ReferenceName]*resetMark{}
	raw, err := os.ReadFile(filepath.Join(dir, resetsName))
	if errors.Is(err, fs.ErrNotExist) {
		return marks, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the resets: %w", err)
	}
	if json.Unmarshal(raw, &marks) != nil {
		return map[plumbing.ReferenceName]*resetMark{}, nil
	}
	for name, m := range marks {
		if m == nil {
			delete(marks, name)
		}
	}
	return marks, nil
}

// setMark remembers a mark; nil removes it. The caller holds r.refs.
func (r *repo) setMark(branch plumbing.ReferenceName, m *resetMark) error {
	if m == nil {
		delete(r.resets, branch)
	} else {
		r.resets[branch] = m
	}
	raw, err := json.Marshal(r.resets)
	if err != nil {
		return fmt.Errorf("encoding the resets: %w", err)
	}
	return writeFile(r.dir, filepath.Join(r.dir, resetsName), raw)
}

// markReset notes that a branch is reset to a commit: whatever has been on it, and is not in the history of this
// commit, is removed. It moves nothing, and comes before the branch moves; so a reset that is killed in between has
// done no harm, and the next one does it all again. It returns how many heads were removed, those of earlier resets
// included.
func (r *repo) markReset(branch plumbing.ReferenceName, commit plumbing.Hash) (int, error) {
	st := r.open()
	defer closeStorage(st)
	r.refs.Lock()
	defer r.refs.Unlock()
	heads := map[plumbing.Hash]bool{}
	switch ref, err := st.Reference(branch); {
	case err == nil:
		heads[ref.Hash()] = true
	case !errors.Is(err, plumbing.ErrReferenceNotFound):
		return 0, fmt.Errorf("reading %s: %w", branch, err)
	}
	for _, p := range r.pushes.all() {
		if p.Ref == branch.String() {
			heads[plumbing.NewHash(p.Before)] = true
			heads[plumbing.NewHash(p.After)] = true
		}
	}
	if m := r.resets[branch]; m != nil {
		for _, h := range m.Heads {
			heads[plumbing.NewHash(h)] = true
		}
	}
	kept, _, err := ancestry(st, []plumbing.Hash{commit}, nil)
	if err != nil {
		return 0, err
	}
	var from []plumbing.Hash
	for h := range heads {
		from = append(from, h)
	}
	removed, parents, err := ancestry(st, from, kept)
	if err != nil {
		return 0, err
	}
	m := &resetMark{Time: time.Now().UTC(), Commit: commit.String(), Heads: []string{}, removed: removed}
	for _, h := range from {
		if _, err := object.GetCommit(st, h); err == nil && !kept[h] && !parents[h] {
			m.Heads = append(m.Heads, h.String())
		}
	}
	slices.Sort(m.Heads)
	m.Heads = m.Heads[:min(len(m.Heads), keptHeads)]
	return len(m.Heads), r.setMark(branch, m)
}

// ancestry returns commits with their ancestors, except for those in without, and what is a parent of one of them. What
// is not a commit here is passed over.
func ancestry(st storer.EncodedObjectStorer, from []plumbing.Hash, without map[plumbing.Hash]bool) (all, parents map[plumbing.Hash]bool, err error) {
	all, parents = map[plumbing.Hash]bool{}, map[plumbing.Hash]bool{}
	for todo := slices.Clone(from); len(todo) > 0; {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if all[h] || without[h] {
			continue
		}
		c, err := object.GetCommit(st, h)
		if errors.Is(err, plumbing.ErrObjectNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("reading commit %s: %w", h, err)
		}
		all[h] = true
		for _, p := range c.ParentHashes {
			parents[p] = true
			todo = append(todo, p)
		}
	}
	return all, parents, nil
}

// resetError refuses a push that would bring back what a reset has removed.
type resetError struct {
	branch  string // the short name
	time    time.Time
	commits int // that would come back
}

// Error is one line, for the client's list of references.
func (e *resetError) Error() string {
	return fmt.Sprintf("%s was reset at %s; follow it with `git pull --rebase`", e.branch, clock(e.time))
}

// hint is what git shows before that, a "remote: " in front of each line.
func (e *resetError) hint() string {
	commits := "1 commit"
	if e.commits != 1 {
		commits = fmt.Sprintf("%d commits", e.commits)
	}
	return fmt.Sprintf(`
The demo was reset at %[2]s. This push would bring back
%[3]s that the reset has removed from %[1]s.

Follow the reset, and keep only what you have not pushed yet:
  git pull --rebase
Follow the reset, and drop all that is not in %[1]s now:
  git fetch && git reset --hard origin/%[1]s
Bring the old commits back:
  git push -o %[4]s

`, e.branch, clock(e.time), commits, gitapi.Restore)
}

// clock is in UTC, since the clock of a pod and that of the user may differ in their zone.
func clock(t time.Time) string { return t.UTC().Format("15:04 UTC") }

// checkReset refuses an update that brings back what a reset has removed, unless the client insists: with the push
// option, or by moving the branch to where Git itself asks for force. brings says that it brings something back. The
// caller holds r.refs.
func (r *repo) checkReset(st *filesystem.Storage, cmd *packp.Command, insists bool) (brings bool, err error) {
	m := r.resets[cmd.Name]
	if m == nil || len(m.Heads) == 0 || cmd.Action() == packp.Delete {
		return false, nil
	}
	if m.removed == nil {
		kept, _, err := ancestry(st, []plumbing.Hash{plumbing.NewHash(m.Commit)}, nil)
		if err != nil {
			return false, err
		}
		if m.removed, _, err = ancestry(st, hashes(m.Heads), kept); err != nil {
			return false, err
		}
	}
	t := transfer{wants: []plumbing.Hash{cmd.New}}
	if !cmd.Old.IsZero() {
		t.haves = []plumbing.Hash{cmd.Old}
	}
	w := newWalk(st, t)
	tips, err := w.tips()
	if err != nil {
		return false, err
	}
	fresh, _, err := w.difference(tips)
	if err != nil {
		return false, err
	}
	back := 0
	for h := range fresh {
		if m.removed[h] {
			back++
		}
	}
	if back == 0 || insists || !cmd.Old.IsZero() && !ancestor(st, cmd.Old, cmd.New) {
		return back > 0, nil
	}
	return true, &resetError{branch: cmd.Name.Short(), time: m.Time, commits: back}
}

// broughtBack forgets what was removed and is on the branch again. The caller holds r.refs.
func (r *repo) broughtBack(st *filesystem.Storage, branch plumbing.ReferenceName, h plumbing.Hash) error {
	now, _, err := ancestry(st, []plumbing.Hash{h}, nil)
	if err != nil {
		return err
	}
	m := *r.resets[branch]
	m.removed = nil
	m.Heads = slices.DeleteFunc(slices.Clone(m.Heads), func(s string) bool { return now[plumbing.NewHash(s)] })
	return r.setMark(branch, &m)
}

func hashes(texts []string) []plumbing.Hash {
	out := make([]plumbing.Hash, 0, len(texts))
	for _, s := range texts {
		out = append(out, plumbing.NewHash(strings.TrimSpace(s)))
	}
	return out
}
