package node

import (
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// mount says that a path inside a container is a folder (or file) of the host.
type mount struct {
	path string // as the container sees it, clean and absolute
	host string
}

// mounts is ordered so that the longest path comes first: it is the one that
// hides the others, as with a real mount.
type mounts []mount

func newMounts(list []mount) mounts {
	result := make(mounts, 0, len(list))
	for _, m := range list {
		result = append(result, mount{path: path.Clean(m.path), host: m.host})
	}
	sort.SliceStable(result, func(i, j int) bool { return len(result[i].path) > len(result[j].path) })
	return result
}

// resolve returns the host's path of a path inside the container.
func (ms mounts) resolve(p string) (string, bool) {
	for _, m := range ms {
		if p == m.path || p == m.path+"/" {
			return m.host, true
		}
		if rest, ok := strings.CutPrefix(p, strings.TrimSuffix(m.path, "/")+"/"); ok {
			return filepath.Join(m.host, filepath.FromSlash(rest)), true
		}
	}
	return "", false
}

// rewrite replaces a mounted path in one word: the whole word, or what comes
// after its first equals sign. A process has no mount namespace of its own, so
// what it is told has to be true on the host.
func (ms mounts) rewrite(word string) string {
	if host, ok := ms.resolve(word); ok {
		return host
	}
	if key, value, found := strings.Cut(word, "="); found {
		if host, ok := ms.resolve(value); ok {
			return key + "=" + host
		}
	}
	return word
}

func (ms mounts) rewriteAll(words []string) []string {
	result := make([]string, len(words))
	for i, word := range words {
		result[i] = ms.rewrite(word)
	}
	return result
}
