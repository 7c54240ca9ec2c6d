package folder_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/folder"
)

// A mark as Claim makes it, and one of a removal that was cut off.
const (
	mark     = `{"format":1,"provider":"boat"}` + "\n"
	removing = `{"format":1,"provider":"boat","removing":true}` + "\n"
)

// newFolder returns a folder for boats, which need not exist. Without a mark,
// boat.json is what tells it.
func newFolder(t *testing.T) folder.Folder {
	return folder.Folder{
		Dir:      filepath.Join(t.TempDir(), "state", "pinta"),
		Provider: "boat",
		Children: []string{"boat.json", "sails"},
		Unmarked: func(dir *os.Root) bool {
			raw, err := dir.ReadFile("boat.json")
			return err == nil && string(raw) == "a boat"
		},
	}
}

// fill makes the folder with files; a name that ends with / is a folder, and
// a content that begins with -> a link.
func fill(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		target, link := strings.CutPrefix(content, "->")
		switch {
		case err != nil:
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case link:
			err = os.Symlink(target, path)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot is every path below dir with its content.
func snapshot(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		content := ""
		switch {
		case entry.Type()&fs.ModeSymlink != 0:
			content, err = os.Readlink(path)
		case !entry.IsDir():
			var raw []byte
			raw, err = os.ReadFile(path)
			content = string(raw)
		}
		rel, _ := filepath.Rel(dir, path)
		all = append(all, rel+": "+content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

func TestOwned(t *testing.T) {
	for _, test := range []struct {
		name    string
		files   map[string]string // nil for no folder
		owned   bool
		foreign string // part of the error
	}{
		{"not there", nil, false, ""},
		{"empty", map[string]string{}, false, ""},
		{"a mark that was being written", map[string]string{"." + folder.MarkFile + ".writing-X": "{"}, false, ""},
		{"marked", map[string]string{folder.MarkFile: mark, "notes.txt": "mine"}, true, ""},
		{"half removed", map[string]string{folder.MarkFile: removing}, true, ""},
		{"before marks", map[string]string{"boat.json": "a boat", "notes.txt": "mine"}, true, ""},
		{"a damaged mark, but a boat", map[string]string{folder.MarkFile: "{", "boat.json": "a boat"}, true, ""},
		{"a namesake of a child", map[string]string{"boat.json": "a ship"}, false, "it holds boat.json, and no " + folder.MarkFile},
		{"others' files", map[string]string{"a\nb": "", "b": "", "c": "", "d/": ""}, false, `it holds "a\nb", b, c and 1 more, and no`},
		{"a damaged mark", map[string]string{folder.MarkFile: mark[:10], "notes.txt": ""}, false, "its " + folder.MarkFile + " is damaged"},
		{"an empty mark", map[string]string{folder.MarkFile: ""}, false, "damaged"},
		{"an incomplete mark", map[string]string{folder.MarkFile: "{}"}, false, "damaged"},
		{"another kind", map[string]string{folder.MarkFile: `{"format":1,"provider":"car"}`}, false, `its provider is "car"`},
		{"a newer format", map[string]string{folder.MarkFile: `{"format":2,"provider":"boat"}`, "boat.json": "a boat"}, false, "newer fluxdemo"},
		{"a mark outside", map[string]string{folder.MarkFile: "->../other/" + folder.MarkFile, "../other/" + folder.MarkFile: mark}, false, "damaged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t)
			if test.files != nil {
				fill(t, f.Dir, test.files)
			}
			before := snapshot(t, filepath.Dir(f.Dir))
			owned, err := f.Owned()
			var foreign *folder.ForeignError
			if owned != test.owned || f.Has() != test.owned || (err != nil) != (test.foreign != "") || err != nil && !errors.As(err, &foreign) {
				t.Errorf("%v, %v", owned, err)
			}
			if err != nil && (!strings.Contains(err.Error(), test.foreign) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%q does not say %q in one line", err, test.foreign)
			}
			if test.foreign != "" {
				if err := f.Claim(); !errors.As(err, &foreign) {
					t.Errorf("claiming it: %v", err)
				}
				if _, err := f.Remove(); !errors.As(err, &foreign) {
					t.Errorf("removing it: %v", err)
				}
			}
			if after := snapshot(t, filepath.Dir(f.Dir)); !slices.Equal(before, after) {
				t.Errorf("before: %q\nafter: %q", before, after)
			}
		})
	}
}

// TestNoFolder puts something else in the folder's place.
func TestNoFolder(t *testing.T) {
	for name, place := range map[string]func(path string) error{
		"a file":             func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"a symbolic link":    func(path string) error { return os.Symlink("elsewhere", path) },
		"a link to nowhere":  func(path string) error { return os.Symlink("nowhere", path) },
		"a link to a marked": func(path string) error { return os.Symlink("marked", path) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			above := filepath.Dir(f.Dir)
			fill(t, above, map[string]string{"elsewhere/boat.json": "a boat", "marked/" + folder.MarkFile: mark, "marked/sails/": ""})
			if err := place(f.Dir); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, above)
			_, owned := f.Owned()
			_, removed := f.Remove()
			for _, err := range []error{owned, f.Claim(), removed} {
				if foreign := (*folder.ForeignError)(nil); !errors.As(err, &foreign) {
					t.Error(err)
				}
			}
			if after := snapshot(t, above); !slices.Equal(before, after) {
				t.Errorf("before: %q\nafter: %q", before, after)
			}
		})
	}
}

func TestClaim(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"new":           nil,
		"empty":         {},
		"being written": {"." + folder.MarkFile + ".writing-X": "{"},
		"marked":        {folder.MarkFile: mark, "notes.txt": "mine"},
		"before marks":  {"boat.json": "a boat"},
		"half removed":  {folder.MarkFile: removing, "sails/main": "", "notes.txt": "mine"},
		"nearly gone":   {folder.MarkFile: removing},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			if files != nil {
				fill(t, f.Dir, files)
			}
			err := f.Claim()
			if name == "half removed" { // and others' files in it: those are in the way
				if foreign := (*folder.ForeignError)(nil); !errors.As(err, &foreign) {
					t.Error(err)
				}
				if got := snapshot(t, f.Dir); !slices.Equal(got, []string{".: ", "notes.txt: mine"}) {
					t.Errorf("%q", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(f.Dir)
			raw, failed := os.ReadFile(filepath.Join(f.Dir, folder.MarkFile))
			if err != nil || info.Mode().Perm() != 0o700 || failed != nil || string(raw) != mark {
				t.Errorf("%v, %v, %q, %v", info.Mode(), err, raw, failed)
			}
			for file := range files {
				if _, err := os.Stat(filepath.Join(f.Dir, file)); err != nil {
					t.Error(err)
				}
			}
			if err := f.Claim(); err != nil || !f.Has() {
				t.Errorf("once more: %v", err)
			}
		})
	}
}

// TestMarkCut cuts the mark at every length: the folder is owned, or refused
// in one line.
func TestMarkCut(t *testing.T) {
	f := newFolder(t)
	for cut := range len(mark) + 1 {
		fill(t, f.Dir, map[string]string{folder.MarkFile: mark[:cut]})
		owned, err := f.Owned()
		if whole := cut >= len(mark)-1; owned != whole || (err == nil) != whole {
			t.Errorf("cut at %d: %v, %v", cut, owned, err)
		}
	}
}

func TestRemove(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		left  []string // and nothing else is
	}{
		{"all known", map[string]string{folder.MarkFile: mark, "boat.json": "a boat", "sails/main": "", "sails/deep/er": ""}, nil},
		{"before marks", map[string]string{"boat.json": "a boat", "sails/": ""}, nil},
		{"cut off before", map[string]string{folder.MarkFile: removing, "sails/": ""}, nil},
		{"interrupted writes", map[string]string{
			folder.MarkFile: mark, "." + folder.MarkFile + ".writing-X": "", ".boat.json.writing-X": "", "boat.json.new": "", "sails.new/main": "",
		}, nil},
		{"others' files", map[string]string{
			folder.MarkFile: mark, "boat.json": "", "notes.txt": "mine", "Sails/": "", "sails2": "", ".notes.txt.writing-X": "", "new": "", ".new": "",
		}, []string{".new", ".notes.txt.writing-X", "Sails", "new", "notes.txt", "sails2"}},
		{"links", map[string]string{
			folder.MarkFile: mark, "boat.json": "->../elsewhere/precious", "sails": "->../elsewhere",
		}, nil},
		{"links inside", map[string]string{folder.MarkFile: mark, "sails/up": "->../../elsewhere", "link": "->../elsewhere"}, []string{"link"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t)
			elsewhere := filepath.Join(filepath.Dir(f.Dir), "elsewhere")
			fill(t, elsewhere, map[string]string{"precious": "mine"})
			fill(t, f.Dir, test.files)
			left, err := f.Remove()
			if err != nil || !slices.Equal(left, test.left) || !slices.Equal(folder.Left(f.Dir), test.left) {
				t.Errorf("%q, %q, %v", left, folder.Left(f.Dir), err)
			}
			if _, err := os.Lstat(f.Dir); (err == nil) != (test.left != nil) {
				t.Errorf("the folder itself: %v", err)
			}
			if got := snapshot(t, elsewhere); !slices.Equal(got, []string{".: ", "precious: mine"}) {
				t.Errorf("elsewhere: %q", got)
			}
			if left, err := f.Remove(); test.left == nil && (left != nil || err != nil) {
				t.Errorf("once more: %q, %v", left, err)
			}
		})
	}
}
