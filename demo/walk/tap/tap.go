// Package tap has what a shell writes: while a command runs, it hands that on and keeps the end of it. A check that waits
// shows the last line, and an error the last ones. Only text and colours pass: what a command does to the terminal would
// be done to that of the audience.
package tap

import (
	"strings"
	"sync"

	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// keep is how many bytes of a command's output are kept.
const keep = 16 << 10

// Tap is the output of a shell. The zero value drops what is written until Open. Several goroutines may write.
type Tap struct {
	mu     sync.Mutex
	to     func([]byte)
	filter plaintext.Filter
	kept   []byte
	last   string // the last line of the commands before
}

// Write implements io.Writer. What comes when no command runs is dropped.
func (t *Tap) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to == nil {
		return len(p), nil
	}
	t.hand(t.filter.Append(nil, p))
	return len(p), nil
}

// hand hands text on, and keeps its end.
func (t *Tap) hand(text []byte) {
	if len(text) == 0 {
		return
	}
	t.kept = append(t.kept, text...)
	if len(t.kept) > keep {
		t.kept = append([]byte(nil), t.kept[len(t.kept)-keep:]...)
	}
	t.to(text)
}

// Open begins a command: what is written goes to a function, one call at a time. Carriage returns stay in it, see
// plaintext.Last.
func (t *Tap) Open(to func([]byte)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to, t.kept, t.filter = to, nil, plaintext.Filter{Overwriting: true}
}

// Close ends a command, and returns the last 16 KiB of what it has written.
func (t *Tap) Close() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hand(t.filter.Flush(nil))
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

// LastLine returns the last line of a text with anything in it, without colours and the space around it. A carriage return
// ends a line, too: of progress such as "10 %\r20 %\r" it is the newest.
func LastLine(text string) string {
	text = strings.TrimSpace(plaintext.Text(text))
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:])
}
