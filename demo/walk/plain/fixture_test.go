package plain

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

// fixture is a walk with its work folder and a file for its progress.
type fixture struct {
	walk    *walk.Walk
	options walk.SessionOptions
	dir     string
}

func newFixture(t *testing.T, src string) *fixture {
	t.Helper()
	w, err := walk.Parse("test.md", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	return &fixture{walk: w, dir: dir, options: walk.SessionOptions{
		Runner: walk.Options{Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, Dir: dir},
		File:   filepath.Join(t.TempDir(), "progress.json"),
	}}
}

// open takes the progress up, as another process would.
func (f *fixture) open(t *testing.T) *walk.Session {
	t.Helper()
	ses, err := walk.Open(walktest.Context(t), f.walk, f.options)
	if err != nil {
		t.Fatal(err)
	}
	return ses
}

func newSession(t *testing.T, src string) (ses *walk.Session, dir string) {
	t.Helper()
	f := newFixture(t, src)
	return f.open(t), f.dir
}
