// Package bundle finds the folder with the binaries of clusters, and verifies
// them. hack/bundle builds that folder; every provider takes its binaries
// from it.
package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/adrg/xdg"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
)

// EnvVar names the environment variable that says where the bundle is.
const EnvVar = "FLUXDEMO_BUNDLE"

// howTo ends every error about a bundle that cannot be used.
const howTo = "build it with `make bundle` in a checkout of fluxdemo, or name one with --bundle"

// ErrNotFound is returned by Find when there is no bundle to be found.
var ErrNotFound = errors.New("no bundle")

// Bundle is a folder of binaries and what its bundle.json says of them.
type Bundle struct {
	Dir   string `json:"-"`
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Go    string `json:"go"`
	Files []File `json:"files"`
}

// File is one file of a bundle.
type File struct {
	Name    string            `json:"name"`
	Modules map[string]string `json:"modules"` // module path to version
	Size    int64             `json:"size"`    // bytes
	SHA256  string            `json:"sha256"`  // hex
}

// Find returns the bundle in dir if that is not empty, else the one that
// FLUXDEMO_BUNDLE names, else the first of: bundle beside the running
// executable, build/bundle beside its folder (where make leaves it in a
// checkout), fluxdemo/bundle in the XDG cache. It reads bundle.json and
// looks at sizes; Verify looks at contents.
func Find(dir string) (*Bundle, error) {
	if dir == "" {
		dir = os.Getenv(EnvVar)
	}
	if dir != "" {
		return open(dir)
	}
	candidates := []string{filepath.Join(xdg.CacheHome, "fluxdemo", "bundle")}
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			here := filepath.Dir(exe)
			candidates = append([]string{
				filepath.Join(here, "bundle"),
				filepath.Join(here, "..", "build", "bundle"),
			}, candidates...)
		}
	}
	for _, dir := range candidates {
		if _, err := os.Stat(filepath.Join(dir, "bundle.json")); err == nil {
			return open(dir)
		}
	}
	return nil, fmt.Errorf("%w: looked in %s: %s", ErrNotFound, strings.Join(candidates, ", "), howTo)
}

func open(dir string) (*Bundle, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "bundle.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s: it has no bundle.json: %s", ErrNotFound, dir, howTo)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	b := &Bundle{Dir: dir}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("bundle %s is damaged: bundle.json: %w: %s", dir, err, howTo)
	}
	if b.OS != runtime.GOOS || b.Arch != runtime.GOARCH {
		return nil, fmt.Errorf("bundle %s is for %s/%s, this machine is %s/%s: %s", dir, b.OS, b.Arch, runtime.GOOS, runtime.GOARCH, howTo)
	}
	for _, f := range b.Files {
		if _, err := b.fingerprint(f); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Path returns the path of the file called name.
func (b *Bundle) Path(name string) string { return filepath.Join(b.Dir, name) }

// Version returns the version of a module that is built into the bundle, or
// "" if it is not in there.
func (b *Bundle) Version(module string) string {
	for _, f := range b.Files {
		if v, ok := f.Modules[module]; ok {
			return v
		}
	}
	return ""
}

// fingerprint returns what changes when the file is written to, without
// reading it, and an error if the file cannot be what bundle.json says.
func (b *Bundle) fingerprint(f File) (string, error) {
	info, err := os.Stat(b.Path(f.Name))
	if err != nil {
		return "", fmt.Errorf("bundle %s is damaged: %s is missing: %s", b.Dir, f.Name, howTo)
	}
	if info.Size() != f.Size {
		return "", fmt.Errorf("bundle %s is damaged: %s has %d bytes instead of %d: %s", b.Dir, f.Name, info.Size(), f.Size, howTo)
	}
	return fmt.Sprintf("%s %s %d %d", f.Name, f.SHA256, info.Size(), info.ModTime().UnixNano()), nil
}

// Verify reads every file and compares checksums. Files that were verified
// before and have not been written to since are not read again: stamp names
// the file that remembers, and may be removed at any time. Without a stamp it
// reads them all.
func (b *Bundle) Verify(stamp string) error {
	prints := []string{b.Dir}
	for _, f := range b.Files {
		print, err := b.fingerprint(f)
		if err != nil {
			return err
		}
		prints = append(prints, print)
	}
	now := strings.Join(prints, "\n")
	if before, err := os.ReadFile(stamp); err == nil && string(before) == now {
		return nil
	}
	errs := make([]error, len(b.Files))
	var group sync.WaitGroup
	for i, f := range b.Files {
		group.Go(func() { errs[i] = b.verify(f) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if stamp == "" {
		return nil
	}
	// A stamp that cannot be written costs time, not correctness: the cache
	// may be in a home that is read-only.
	_ = os.MkdirAll(filepath.Dir(stamp), 0o700)
	_ = statefile.Write(stamp, []byte(now), 0o600)
	return nil
}

func (b *Bundle) verify(f File) error {
	file, err := os.Open(b.Path(f.Name))
	if err != nil {
		return fmt.Errorf("reading the bundle: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("reading the bundle: %w", err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return fmt.Errorf("bundle %s is damaged: %s does not have the checksum that bundle.json names: %s", b.Dir, f.Name, howTo)
	}
	return nil
}
