package walk

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestProgressTorn cuts a walk's progress at every length. What was done is
// not forgotten silently: it says which file to remove.
func TestProgressTorn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gitops.json")
	want := &progress{Walk: "hash", Set: true, Done: []before{{Step: "push", Commit: "abc"}}, Begun: &before{Step: "wait"}, Commit: "def"}
	if err := (&store{file: file}).save(want); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	contents := []string{"\x00\x01garbage", strings.Repeat("\x00", len(whole)), "null", "{}"}
	for cut := range len(whole) {
		contents = append(contents, string(whole[:cut]))
	}
	for _, content := range contents {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := (&store{file: file}).load()
		if p != nil || err == nil || !strings.HasSuffix(err.Error(), "; remove "+file+" to start again") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %+v, %v", content, p, err)
		}
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &store{file: file}
	if p, err := s.load(); err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("whole: %+v, %v", p, err)
	}
	if p, err := s.load(); p != nil || err != nil {
		t.Errorf("unchanged: %+v, %v", p, err)
	}
}
