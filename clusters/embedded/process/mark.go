package process

import (
	"hash/fnv"
	"path/filepath"
	"strings"
)

// MarkVariable is the variable whose value marks a process and all that it
// starts, so that EndMarked finds them. The value is a path, in the form of
// FOLDER/POD/CONTAINER. On Linux, what is started with a cleared environment
// has the mark too.
const MarkVariable = "FLUXDEMO_CONTAINER"

// markOf returns the value of MarkVariable in env, or "".
func markOf(env []string) (mark string) {
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, MarkVariable+"="); ok {
			mark = value // the last one counts
		}
	}
	return mark
}

// tag is a mark as a number: one half tells the folder, the other one the
// container. Tags have this bit, which no ordinary limit has.
type tag uint64

const (
	isMark   tag = 1 << 62
	halfBits     = 31
)

func tagOf(mark string) tag {
	return isMark | half(filepath.Dir(filepath.Dir(mark)))<<halfBits | half(mark)
}

// belongs says whether n marks a container that value stands for: as its mark,
// or as the folder of its mark.
func (n tag) belongs(value string) bool {
	return n == tagOf(value) || n>>halfBits == (isMark>>halfBits|half(value))
}

func half(text string) tag {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(text)) // never fails
	return tag(hash.Sum64()) & (1<<halfBits - 1)
}
