package gobuild

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Checksum returns a checksum, in hex, over the files that match the
// patterns (but Go's tests), the version of Go and the platform.
func Checksum(patterns ...string) (string, error) {
	var names []string
	for _, pattern := range patterns {
		more, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		names = append(names, more...)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	slices.Sort(names)
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, name, len(raw))
		sum.Write(raw)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
