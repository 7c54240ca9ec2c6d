package hack_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Sizes beyond which a newcomer no longer finds the place for a change.
const (
	mostInFile    = 400  // lines
	mostInPackage = 3000 // lines, without the tests
)

// TestSizes finds files and packages that have grown too large.
func TestSizes(t *testing.T) {
	packages := map[string]int{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case "build", "node_modules", "testdata", ".git":
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines := bytes.Count(raw, []byte("\n"))
		if lines > mostInFile {
			t.Errorf("%s has %d lines, more than %d: split it", path, lines, mostInFile)
		}
		if !strings.HasSuffix(path, "_test.go") {
			packages[filepath.Dir(path)] += lines
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packages["../cmd/fluxdemo"] == 0 {
		t.Fatal("the test does not see the repository's files")
	}
	for dir, lines := range packages {
		if lines > mostInPackage {
			t.Errorf("%s has %d lines without its tests, more than %d: split it", dir, lines, mostInPackage)
		}
	}
}
