// Package folder manages the folder of one cluster on this machine. A mark
// shows that fluxdemo created the folder. Only known files are ever removed
// from it; all others are kept and listed.
package folder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// MarkFile is the child that says whose the folder is.
const MarkFile = "fluxdemo-cluster.json"

// format is the version of what lies in a cluster's folder.
const format = 1

// mark is the content of MarkFile.
type mark struct {
	Format   int    `json:"format"`
	Provider string `json:"provider"`           // of the cluster
	Removing bool   `json:"removing,omitempty"` // some children are gone
}

// Folder is the folder of a cluster of one provider. It need not exist.
type Folder struct {
	// Dir is its path. The folder above it may hold anything.
	Dir string
	// Provider is the provider that the folder is for.
	Provider string
	// Children names what is kept in it, files and folders, beside MarkFile.
	Children []string
	// Unmarked tells by their content whether the files in a folder without
	// a mark are those of the provider's cluster: there were no marks at
	// first.
	Unmarked func(dir *os.Root) bool
}

// ForeignError says that a folder is not the cluster's, and why.
type ForeignError struct{ Dir, Why string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s is not this cluster's folder, and stays as it is: %s; choose another name with --name, or move it away", e.Dir, e.Why)
}

// Owned reports whether the folder is there and belongs to a cluster of its
// provider. An empty folder belongs to none. It is a *ForeignError if there
// is something else.
func (f Folder) Owned() (bool, error) {
	dir, err := f.open()
	if dir == nil || err != nil {
		return false, err
	}
	defer dir.Close()
	_, owned, err := f.read(dir)
	return owned, err
}

// Has reports whether Owned says so, without an error.
func (f Folder) Has() bool {
	owned, err := f.Owned()
	return owned && err == nil
}

// Require returns an error unless the folder is there and belongs to a cluster
// of its provider: clusters.ErrNotFound, with the cluster's name, if there is
// none.
func (f Folder) Require() error {
	switch owned, err := f.Owned(); {
	case err != nil:
		return err
	case !owned:
		return fmt.Errorf("%w: %s", clusters.ErrNotFound, filepath.Base(f.Dir))
	}
	return nil
}

// Claim makes the folder, for its owner only, and marks it. One that is there
// has to be empty or owned; of one whose removal was cut off it removes the
// rest.
func (f Folder) Claim() error {
	dir, err := f.open()
	if err != nil {
		return err
	}
	if dir == nil {
		return f.create()
	}
	defer dir.Close()
	now, owned, err := f.read(dir)
	if err != nil {
		return err
	}
	if now.Removing {
		if _, err := f.Remove(); err != nil {
			return err
		}
		return f.Claim()
	}
	if err := dir.Chmod(".", 0o700); err != nil {
		return cannotWrite(err)
	}
	if owned && now.Format != 0 {
		return nil
	}
	return f.mark(false)
}

// create makes the folder and marks it, or leaves nothing.
func (f Folder) create() error {
	above := filepath.Dir(f.Dir)
	if err := os.MkdirAll(above, 0o700); err != nil {
		return cannotWrite(err)
	}
	if err := os.Mkdir(f.Dir, 0o700); err != nil {
		return cannotWrite(err)
	}
	err := f.mark(false)
	if err == nil {
		err = statefile.SyncFolder(above)
	}
	if err != nil {
		_ = os.Remove(f.Dir) // it is empty, or has a mark
	}
	return err
}

func (f Folder) mark(removing bool) error {
	raw, err := json.Marshal(mark{Format: format, Provider: f.Provider, Removing: removing})
	if err != nil {
		return err
	}
	if err := statefile.Write(filepath.Join(f.Dir, MarkFile), append(raw, '\n'), 0o600); err != nil {
		return cannotWrite(err)
	}
	return nil
}

func cannotWrite(err error) error {
	return fmt.Errorf("cannot write the state folder: %w; choose another folder with XDG_STATE_HOME", err)
}

// open opens the folder, nil if there is none. It does not follow a link.
func (f Folder) open() (*os.Root, error) {
	before, err := os.Lstat(f.Dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the cluster's folder: %w", err)
	}
	switch {
	case before.Mode()&fs.ModeSymlink != 0:
		return nil, &ForeignError{f.Dir, "it is a symbolic link"}
	case !before.IsDir():
		return nil, &ForeignError{f.Dir, "it is a file"}
	}
	dir, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the cluster's folder: %w", err)
	}
	opened, err := dir.Stat(".")
	if err == nil && !os.SameFile(before, opened) {
		err = &ForeignError{f.Dir, "it was replaced just now"}
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// read returns the mark, which is zero if there is none, and whether the
// folder is owned.
func (f Folder) read(dir *os.Root) (m mark, owned bool, err error) {
	names, err := children(dir)
	if err != nil {
		return m, false, err
	}
	if !slices.ContainsFunc(names, func(name string) bool { return !isMark(name) || name == MarkFile }) {
		return m, false, nil // empty, but for a mark that was being written
	}
	raw, err := dir.ReadFile(MarkFile)
	if err == nil {
		m, err = f.parse(raw)
	}
	var foreign *ForeignError
	switch {
	case err == nil:
		return m, true, nil
	case errors.As(err, &foreign):
		return mark{}, false, err
	case f.Unmarked != nil && f.Unmarked(dir):
		return mark{}, true, nil
	case errors.Is(err, fs.ErrNotExist):
		return mark{}, false, &ForeignError{f.Dir, fmt.Sprintf("it holds %s, and no %s", some(names), MarkFile)}
	}
	return mark{}, false, &ForeignError{f.Dir, fmt.Sprintf("its %s is damaged", MarkFile)}
}

// parse reads a mark. Marks of others are a *ForeignError.
func (f Folder) parse(raw []byte) (m mark, err error) {
	if err := json.Unmarshal(raw, &m); err != nil {
		return mark{}, err
	}
	switch {
	case m.Format < 1 || m.Provider == "":
		return mark{}, errors.New("it is incomplete")
	case m.Provider != f.Provider:
		return mark{}, &ForeignError{f.Dir, fmt.Sprintf("its provider is %q", m.Provider)}
	case m.Format > format:
		return mark{}, &ForeignError{f.Dir, "a newer fluxdemo has made it"}
	}
	return m, nil
}

// isMark reports whether a child is the mark, or one that was being written.
func isMark(name string) bool {
	of, is := statefile.IsTemporary(name)
	return name == MarkFile || is && of == MarkFile
}

// Remove removes the children that are known and what interrupted writes of
// them have left, then the mark, then the folder if it is empty. It returns
// the names of the children that are left. Links are removed, and not
// followed.
func (f Folder) Remove() (left []string, err error) {
	dir, err := f.open()
	if dir == nil || err != nil {
		return nil, err
	}
	defer dir.Close()
	if _, owned, err := f.read(dir); !owned || err != nil {
		return nil, err
	}
	// From here on the folder is not complete; Claim has to know. On a full
	// disk this fails, and a removal has to work there.
	_ = f.mark(true)
	names, err := children(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		switch {
		case isMark(name): // last
		case f.known(name):
			if err := dir.RemoveAll(name); err != nil {
				return nil, fmt.Errorf("removing the cluster's folder: %w", err)
			}
		default:
			left = append(left, name)
		}
	}
	for _, name := range append(names, MarkFile) {
		if isMark(name) {
			if err := dir.RemoveAll(name); err != nil {
				return nil, fmt.Errorf("removing the cluster's folder: %w", err)
			}
		}
	}
	if len(left) > 0 {
		return left, nil
	}
	if err := os.Remove(f.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Left(f.Dir), fmt.Errorf("removing the cluster's folder: %w", err)
	}
	return nil, nil
}

// known reports whether a child is the cluster's: one of Children, or what an
// interrupted write of it has left.
func (f Folder) known(name string) bool {
	if of, is := statefile.IsTemporary(name); is {
		name = of
	}
	// Before there was statefile, a file was written beside with this ending.
	return slices.Contains(f.Children, name) || slices.Contains(f.Children, strings.TrimSuffix(name, ".new"))
}

// Left lists the children of a folder after its removal: what was not the
// cluster's. A folder that is gone has none.
func Left(path string) []string {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func children(dir *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, nil
}

// some names up to three of names.
func some(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", Names(names[:3]), len(names)-3)
	}
	return Names(names)
}

// Names lists names of files in one line.
func Names(names []string) string {
	var shown []string
	for _, name := range names {
		if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
			name = quoted
		}
		shown = append(shown, name)
	}
	return strings.Join(shown, ", ")
}
