package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/fluxdemo/fluxdemo/hack/bundle/gobuild"
)

// index is bundle.json: what the bundle holds and what it was made from.
// clusters/bundle in the root module reads it.
type index struct {
	Inputs string `json:"inputs"` // checksum of all that the bundle is made from
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Go     string `json:"go"`
	Files  []file `json:"files"`
}

type file struct {
	Name    string            `json:"name"`
	Modules map[string]string `json:"modules"` // module path to version
	Size    int64             `json:"size"`    // bytes
	SHA256  string            `json:"sha256"`
}

// inputsSum is a checksum over everything that decides what the bundle is:
// this module's files and the Go that compiles them. A dependency cannot
// change without go.sum.
func inputsSum() (string, error) {
	return gobuild.Checksum("*.go", "kube/*.go", "gobuild/*.go", "go.mod", "go.sum")
}

// upToDate reports whether the bundle in dir is whole and made from inputs. It
// looks at sizes, not at checksums: those are for who runs the bundle.
func upToDate(dir, inputs string) bool {
	raw, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if err != nil {
		return false
	}
	var idx index
	if json.Unmarshal(raw, &idx) != nil || idx.Inputs != inputs {
		return false
	}
	for _, f := range idx.Files {
		info, err := os.Stat(filepath.Join(dir, f.Name))
		if err != nil || info.Size() != f.Size {
			return false
		}
	}
	return true
}

// writeIndex writes bundle.json for the files in dir.
func writeIndex(dir, inputs string, modules map[string]module) error {
	idx := index{Inputs: inputs, OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version()}
	add := func(name string, from ...string) error {
		f := file{Name: name, Modules: map[string]string{}}
		for _, path := range from {
			f.Modules[path] = modules[path].Version
		}
		var err error
		if f.Size, f.SHA256, err = checksum(filepath.Join(dir, name)); err != nil {
			return err
		}
		idx.Files = append(idx.Files, f)
		return nil
	}
	for _, p := range programs() {
		from := []string{p.module}
		if p.name == "kube" {
			from = append(from, etcdModule)
		}
		if err := add(p.name, from...); err != nil {
			return err
		}
	}
	if err := add("flux.yaml", fluxModule); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(idx, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bundle.json"), append(raw, '\n'), 0o644)
}

func checksum(path string) (size int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	hash := sha256.New()
	size, err = io.Copy(hash, f)
	return size, hex.EncodeToString(hash.Sum(nil)), err
}
