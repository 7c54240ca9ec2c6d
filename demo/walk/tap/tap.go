// Package tap has what a shell writes: while a command runs, it hands that on and keeps the end of it. A check that waits
// shows the last line, and an error the last ones.
package tap

import (
	"strings"
	"sync"
)

// keep is how many bytes of a command's output are kept.
const keep = 16 << 10

// Tap is the output of a shell. The zero value drops what is written until Open. Several goroutines may write.
type Tap struct {
	mu   sync.Mutex
	to   func([]byte)
	kept []byte
	last string // the last line of the commands before
}

// Write implements io.Writer. What comes when no command runs is dropped.
func (t *Tap) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to == nil {
		return len(p), nil
	}
	t.kept = append(t.kept, p...)
	if len(t.kept) > keep {
		t.kept = append([]byte(nil), t.kept[len(t.kept)-keep:]...)
	}
	t.to(p)
	return len(p), nil
}

// Open begins a command: what is written goes to a function, one call at a time.
func (t *Tap) Open(to func([]byte)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to, t.kept = to, nil
}

// Close ends a command, and returns the last 16 KiB of what it has written.
func (t *Tap) Close() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to = nil
	if line := LastLine(string(t.kept)); line != "" {
		t.last = line
	}
	return string(t.kept)
}

// Forget begins a block of commands, none of which has written anything yet.
func (t *Tap) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = ""
}

// LastLine returns the last line with anything in it that the block's commands have written, "" if there is none.
func (t *Tap) LastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if line := LastLine(string(t.kept)); line != "" {
		return line
	}
	return t.last
}

// LastLine returns the last line of a text with anything in it, without the space around it. A carriage return ends a
// line, too: of progress such as "10 %\r20 %\r" it is the newest.
func LastLine(text string) string {
	text = strings.TrimSpace(text)
	return strings.TrimSpace(text[strings.LastIndexAny(text, "\r\n")+1:])
}
