package stage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRecordTorn cuts what a stage has left at every length.
func TestRecordTorn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "stage.json")
	if _, err := ReadRecord(file); !errors.Is(err, ErrNoStage) {
		t.Errorf("without a file: %v", err)
	}
	want := &Record{URL: "http://127.0.0.1:1", Token: "secret", Deck: "/deck.md", Ended: true}
	if err := want.Write(file); err != nil {
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
		_, err := ReadRecord(file)
		var damaged *DamagedError
		if !errors.As(err, &damaged) || damaged.File != file || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", content, err)
		}
	}
	if err := want.Write(file); err != nil {
		t.Fatal(err)
	}
	if r, err := ReadRecord(file); err != nil || r.URL != want.URL || !r.Ended {
		t.Errorf("written anew: %+v, %v", r, err)
	}
}
