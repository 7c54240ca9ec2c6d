package podspec

import (
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// Mount says that a path inside a container is a folder (or file) of the host.
type Mount struct {
	Path string // as the container sees it, clean and absolute
	Host string
}

// Mounts is ordered so that the longest path comes first: it is the one that
// hides the others, as with a real mount.
type Mounts []Mount

// NewMounts orders a list of mounts.
func NewMounts(list []Mount) Mounts {
	result := make(Mounts, 0, len(list))
	for _, m := range list {
		result = append(result, Mount{Path: path.Clean(m.Path), Host: m.Host})
	}
	sort.SliceStable(result, func(i, j int) bool { return len(result[i].Path) > len(result[j].Path) })
	return result
}

// Resolve returns the host's path of a path inside the container.
func (ms Mounts) Resolve(p string) (string, bool) {
	for _, m := range ms {
		if p == m.Path || p == m.Path+"/" {
			return m.Host, true
		}
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(m.Path, "/")+"/"); ok {
			return filepath.Join(m.Host, filepath.FromSlash(rest)), true
		}
	}
	return "", false
}

// Rewrite replaces a mounted path in one word: the whole word, or what comes
// after its first equals sign. A process has no mount namespace of its own, so
// its arguments name paths of the host.
func (ms Mounts) Rewrite(word string) string {
	if host, ok := ms.Resolve(word); ok {
		return host
	}
	if key, value, found := strings.Cut(word, "="); found {
		if host, ok := ms.Resolve(value); ok {
			return key + "=" + host
		}
	}
	return word
}

// RewriteAll does Rewrite on each word.
func (ms Mounts) RewriteAll(words []string) []string {
	result := make([]string, len(words))
	for i, word := range words {
		result[i] = ms.Rewrite(word)
	}
	return result
}
