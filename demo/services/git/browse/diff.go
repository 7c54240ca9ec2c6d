package browse

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/filemode"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/utils/diff"
	"github.com/sergi/go-diff/diffmatchpatch"
)

// The limits of a diff. What is beyond them is named.
const (
	diffFiles    = 200
	diffBytes    = 256 << 10 // of a file
	diffFileRows = 1500      // of a file
	diffRows     = 6000      // of a commit
	diffTime     = time.Second
	diffContext  = 3 // lines around a change
)

// change is a file that a commit changes.
type change struct {
	Path, OldPath  string // OldPath is "" unless the file was renamed
	What           string // added, deleted, renamed, changed
	Note           string // about modes, and what is not shown
	Added, Removed int    // lines
	Rows           []row
	Gone           bool // the file is not in the commit
}

// row is a line of a diff. One without numbers stands for lines that are left out.
type row struct {
	Op       string // "+", "-", " ", or "…"
	Old, New int
	Text     string
}

// changesOf compares a commit with its first parent. more is how many files are not listed.
func changesOf(ctx context.Context, st Storage, c *object.Commit) (list []change, more int, err error) {
	var before plumbing.Hash
	if len(c.ParentHashes) > 0 {
		parent, err := object.GetCommit(st, c.ParentHashes[0])
		if err != nil {
			return nil, 0, fmt.Errorf("reading commit %s: %w", c.ParentHashes[0], err)
		}
		before = parent.TreeHash
	}
	changes, err := compareTrees(ctx, st, before, c.TreeHash)
	if err != nil {
		return nil, 0, fmt.Errorf("comparing commit %s: %w", c.Hash, err)
	}
	rows := 0
	for i, ch := range changes {
		if i == diffFiles {
			return list, len(changes) - i, nil
		}
		if ctx.Err() != nil {
			return list, len(changes) - i, nil
		}
		one, err := compare(st, ch.From, ch.To)
		if err != nil {
			return nil, 0, err
		}
		if rows += len(one.Rows); rows > diffRows {
			one.Rows, one.Note = nil, strings.TrimSpace(one.Note+" The commit changes too much to show this file.")
		}
		list = append(list, one)
	}
	return list, 0, nil
}

// compare shows the change of one file.
func compare(st Storage, from, to fileAt) (change, error) {
	ch := change{Path: to.Path, What: "changed"}
	switch {
	case from == (fileAt{}):
		ch.What = "added"
	case to == (fileAt{}):
		ch.Path, ch.What, ch.Gone = from.Path, "deleted", true
	case from.Path != to.Path:
		ch.OldPath, ch.What = from.Path, "renamed"
	}
	if from != (fileAt{}) && to != (fileAt{}) && from.Entry.Mode != to.Entry.Mode {
		ch.Note = fmt.Sprintf("Mode: %s, before %s.", modeName(to.Entry.Mode), modeName(from.Entry.Mode))
	}
	if from.Entry.Hash.Equal(to.Entry.Hash) {
		return ch, nil
	}
	old, problem, err := side(st, from.Entry)
	if err != nil {
		return ch, err
	}
	now, problem2, err := side(st, to.Entry)
	if err != nil {
		return ch, err
	}
	if problem2 != "" {
		problem = problem2
	}
	if problem != "" {
		ch.Note = strings.TrimSpace(ch.Note + " " + problem)
		return ch, nil
	}
	ch.Rows, ch.Added, ch.Removed = rowsOf(old, now)
	if len(ch.Rows) > diffFileRows {
		ch.Rows, ch.Note = ch.Rows[:diffFileRows], strings.TrimSpace(ch.Note+" The rest of the change is too long to show here.")
	}
	return ch, nil
}

// side returns the text of one side of a change, or why it is not shown.
func side(st Storage, e object.TreeEntry) (text, problem string, err error) {
	switch {
	case e.Hash.IsZero():
		return "", "", nil
	case e.Mode == filemode.Submodule:
		return "", "A submodule, at commit " + short(e.Hash) + ".", nil
	}
	c, err := read(st, e.Hash, diffBytes)
	return c.Text, c.Problem, err
}

// rowsOf compares two texts line by line, and leaves out what is far from a change.
func rowsOf(old, now string) (rows []row, added, removed int) {
	var all []row
	a, b := 1, 1
	for _, d := range diff.DoWithTimeout(old, now, diffTime) {
		for _, text := range lines(d.Text) {
			switch d.Type {
			case diffmatchpatch.DiffDelete:
				all = append(all, row{"-", a, 0, visible(text)})
				a++
				removed++
			case diffmatchpatch.DiffInsert:
				all = append(all, row{"+", 0, b, visible(text)})
				b++
				added++
			default:
				all = append(all, row{" ", a, b, visible(text)})
				a++
				b++
			}
		}
	}
	near := make([]bool, len(all))
	for i, r := range all {
		if r.Op != " " {
			for j := max(0, i-diffContext); j <= min(len(all)-1, i+diffContext); j++ {
				near[j] = true
			}
		}
	}
	for i, r := range all {
		if near[i] {
			rows = append(rows, r)
		} else if i == 0 || near[i-1] {
			rows = append(rows, row{Op: "…"})
		}
	}
	return rows, added, removed
}

func modeName(m filemode.FileMode) string {
	switch m {
	case filemode.Executable:
		return "executable"
	case filemode.Symlink:
		return "symbolic link"
	case filemode.Submodule:
		return "submodule"
	case filemode.Dir:
		return "folder"
	}
	return "file"
}
