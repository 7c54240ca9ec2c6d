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

// TestRecordEarlier reads what a stage of an earlier version has left.
func TestRecordEarlier(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stage.json")
	const left = `{"url":"http://127.0.0.1:1","token":"secret","deck":"/deck.md","ended":false,
		"place":{"slide":3,"slides":12,"id":"gitops","title":"GitOps","beat":2,"fragment":1},"started":"2026-11-20T10:00:00Z"}`
	if err := os.WriteFile(file, []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := ReadRecord(file)
	if err != nil {
		t.Fatal(err)
	}
	want := Position{Slide: 3, Slides: 12, ID: "gitops", Title: "GitOps", Press: 2, Fragment: 1}
	if r.Position != want || r.Started.IsZero() {
		t.Errorf("%+v, want the position %+v", r, want)
	}
}
