package walk

import (
	"strings"
	"sync"
)

// keepOutput is how many bytes of a command's output are kept for its error.
const keepOutput = 16 << 10

// tap is the shell's output. It hands on what is written while a command runs, and keeps the end of it.
type tap struct {
	mu   sync.Mutex
	to   func([]byte)
	kept []byte
	last string // the last line of the block's earlier commands
}

// Write takes output; what comes when no command runs is dropped.
func (t *tap) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to == nil {
		return len(p), nil
	}
	t.kept = append(t.kept, p...)
	if len(t.kept) > keepOutput {
		t.kept = append([]byte(nil), t.kept[len(t.kept)-keepOutput:]...)
	}
	t.to(p)
	return len(p), nil
}

func (t *tap) open(to func([]byte)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to, t.kept = to, nil
}

func (t *tap) close() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to = nil
	if line := lastLine(t.kept); line != "" {
		t.last = line
	}
	return string(t.kept)
}

// forget starts a new block, which has said nothing yet.
func (t *tap) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = ""
}

// lastLine is the last line with anything in it that the block has written.
func (t *tap) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if line := lastLine(t.kept); line != "" {
		return line
	}
	return t.last
}

func lastLine(output []byte) string {
	text := strings.TrimSpace(string(output))
	return strings.TrimSpace(text[strings.LastIndexAny(text, "\r\n")+1:])
}
