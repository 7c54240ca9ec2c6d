package kind

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/folder"
)

// TestSettingsTorn cuts kind.json at every length.
func TestSettingsTorn(t *testing.T) {
	c, err := New("torn", Options{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	want := settings{NodeImage: "fluxdemo/node:v1", Official: true}
	if err := errors.Join(c.folder.Claim(), want.save(c.dir)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.dir, settingsFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := [][]byte{[]byte("garbage"), make([]byte, len(whole)), []byte("null"), []byte("{}")}
	for cut := range len(whole) - 1 {
		all = append(all, whole[:cut])
	}
	for _, damaged := range all {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := loadSettings(c.dir); err == nil || !strings.Contains(err.Error(), "`fluxdemo down --name "+filepath.Base(c.dir)+"` removes the cluster") {
			t.Errorf("%q: %+v, %v", damaged, s, err)
		}
		if !Has(filepath.Dir(c.dir), "torn") {
			t.Errorf("%q: the cluster is forgotten", damaged)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := loadSettings(c.dir); err != nil || s != want {
		t.Errorf("whole: %+v, %v", s, err)
	}
}

// TestBeforeMarks looks at folders without a mark.
func TestBeforeMarks(t *testing.T) {
	for _, test := range []struct {
		name  string
		files []string
		owned bool
	}{
		{"whole", []string{"kind-node/", "kind.json", "logs/kind.log"}, true},
		{"cut off", []string{"kind-node/", "logs/kind.log"}, true},
		{"only settings", []string{"kind.json"}, false},
		{"only a folder", []string{"kind-node/"}, false},
		{"a file for the folder", []string{"kind-node", "kind.json"}, false},
	} {
		f := newFolder(t.TempDir(), "before", nil)
		for _, name := range test.files {
			path := filepath.Join(f.Dir, name)
			err := os.MkdirAll(filepath.Dir(path), 0o700)
			if strings.HasSuffix(name, "/") {
				err = os.MkdirAll(path, 0o700)
			} else if err == nil {
				err = os.WriteFile(path, nil, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		owned, err := f.Owned()
		if foreign := (*folder.ForeignError)(nil); owned != test.owned || errors.As(err, &foreign) == test.owned {
			t.Errorf("%s: %v, %v", test.name, owned, err)
		}
	}
}

// TestForgetKubeconfig removes what a process that was killed has left.
func TestForgetKubeconfig(t *testing.T) {
	c, err := New("left", Options{StateDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.folder.Claim(), c.forgetKubeconfig()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{c.Kubeconfig(), c.Kubeconfig() + ".lock"} {
		if err := os.WriteFile(path, []byte("{"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.forgetKubeconfig(); err != nil {
		t.Fatal(err)
	}
	if left := folder.Left(c.dir); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
}
