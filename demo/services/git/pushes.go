package git

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	// pushesName is the file in a repository's folder that has its last pushes, a JSON object a line. Git ignores it.
	pushesName = "fluxdemo-pushes.jsonl"
	// keptPushes is how many pushes a repository remembers: who has pushed, and where its branches have been.
	keptPushes = 1000
)

// record is one reference that a push has changed. A hash of zeros means that it was not there, or is no more.
type record struct {
	Time   time.Time `json:"time"`
	User   string    `json:"user,omitempty"` // who has authenticated; empty for what came from the upstream
	Ref    string    `json:"ref"`
	Before string    `json:"before"`
	After  string    `json:"after"`
}

// pushLog is the last pushes of a repository. Like references it is not synced to disk.
type pushLog struct {
	mu    sync.Mutex
	dir   string
	last  []record // oldest first
	lines int      // of the file
	stale bool     // the file may lack a record, or have half of one
}

// openPushLog reads what an earlier run has written. What is no record is passed over: a crash leaves half a line.
func openPushLog(dir string) (*pushLog, error) {
	l := &pushLog{dir: dir}
	raw, err := os.ReadFile(filepath.Join(dir, pushesName))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the pushes: %w", err)
	}
	for line := range bytes.Lines(raw) {
		var r record
		if json.Unmarshal(line, &r) == nil && r.Ref != "" {
			l.last = append(l.last, r)
		}
		l.lines++
	}
	l.trim()
	l.stale = len(raw) > 0 && raw[len(raw)-1] != '\n'
	return l, nil
}

// all returns the pushes, newest first.
func (l *pushLog) all() []record {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := slices.Clone(l.last)
	slices.Reverse(out)
	return out
}

// add remembers a push. After an error it is remembered until the next start.
func (l *pushLog) add(r record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, r)
	l.trim()
	if l.stale || l.lines >= 2*keptPushes {
		return l.rewrite()
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding a push: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(l.dir, pushesName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(append(raw, '\n'))
		err = errors.Join(err, f.Close())
	}
	l.stale = err != nil
	if err != nil {
		return fmt.Errorf("writing the pushes: %w", err)
	}
	l.lines++
	return nil
}

func (l *pushLog) trim() {
	if n := len(l.last); n > keptPushes {
		l.last = slices.Clone(l.last[n-keptPushes:])
	}
}

// rewrite replaces the file by one with the pushes that count.
func (l *pushLog) rewrite() error {
	var out bytes.Buffer
	for _, r := range l.last {
		raw, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encoding a push: %w", err)
		}
		out.Write(append(raw, '\n'))
	}
	if err := writeFile(l.dir, filepath.Join(l.dir, pushesName), out.Bytes()); err != nil {
		return err
	}
	l.lines, l.stale = len(l.last), false
	return nil
}
