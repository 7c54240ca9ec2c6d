package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUpToDate(t *testing.T) {
	dir := t.TempDir()
	for _, p := range programs() {
		if err := os.WriteFile(filepath.Join(dir, p.name), []byte(p.name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "flux.yaml"), []byte("kind: Namespace\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	modules := map[string]module{}
	if upToDate(dir, "inputs") {
		t.Error("a folder without bundle.json is up to date")
	}
	if err := writeIndex(dir, "inputs", modules); err != nil {
		t.Fatal(err)
	}
	if !upToDate(dir, "inputs") {
		t.Error("a new bundle is not up to date")
	}
	if upToDate(dir, "other inputs") {
		t.Error("a bundle made from something else is up to date")
	}
	if err := os.Truncate(filepath.Join(dir, "kube"), 1); err != nil {
		t.Fatal(err)
	}
	if upToDate(dir, "inputs") {
		t.Error("a bundle with a file cut short is up to date")
	}
}
