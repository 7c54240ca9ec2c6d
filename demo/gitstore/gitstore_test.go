package gitstore

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-git/go-billy/v6"
	"github.com/go-git/go-billy/v6/osfs"
	"github.com/go-git/go-git/v6/plumbing"
)

// names returns what is in a folder.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestCreate replaces a file: until it is closed, a reader finds the old one.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pack.idx")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := folder{osfs.New(dir, osfs.WithBoundOS())}.Create("pack.idx")
	if err != nil {
		t.Fatal(err)
	}
	if f.Name() != "pack.idx" {
		t.Errorf("it is called %s", f.Name())
	}
	if _, err := io.WriteString(f, "new"); err != nil {
		t.Fatal(err)
	}
	if now, _ := os.ReadFile(path); string(now) != "old" {
		t.Errorf("before it is closed, it holds %q", now)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if now, _ := os.ReadFile(path); string(now) != "new" {
		t.Errorf("it holds %q", now)
	}
	if all := names(t, dir); len(all) != 1 {
		t.Errorf("there is %v", all)
	}
}

// full is a file on a disk that has no room left.
type full struct{ billy.File }

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestCreateFails closes a file of which not all was written: the old one stays.
func TestCreateFails(t *testing.T) {
	dir := t.TempDir()
	f, err := folder{osfs.New(dir, osfs.WithBoundOS())}.Create("pack.idx")
	if err != nil {
		t.Fatal(err)
	}
	p := f.(*pending)
	p.File = full{p.File}
	if _, err := io.WriteString(f, "new"); !errors.Is(err, errFull) {
		t.Error(err)
	}
	if err := f.Close(); !errors.Is(err, errFull) {
		t.Error(err)
	}
	if all := names(t, dir); len(all) != 0 {
		t.Errorf("there is %v", all)
	}
}

// TestClient keeps an object in the folder, and a reference only in memory.
func TestClient(t *testing.T) {
	dir := t.TempDir()
	client := NewClient(Open(dir, nil))
	defer client.Close()
	o := client.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "content"); err != nil {
		t.Fatal(err)
	}
	hash, err := client.SetEncodedObject(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SetReference(plumbing.NewHashReference("refs/heads/main", hash)); err != nil {
		t.Fatal(err)
	}
	again := NewClient(Open(dir, nil))
	defer again.Close()
	if err := again.HasEncodedObject(hash); err != nil {
		t.Errorf("the object is not in the folder: %v", err)
	}
	if _, err := again.Reference("refs/heads/main"); !errors.Is(err, plumbing.ErrReferenceNotFound) {
		t.Errorf("the reference is in the folder: %v", err)
	}
	if all := names(t, dir); len(all) != 1 || all[0] != "objects" {
		t.Errorf("there is %v", all)
	}
}
