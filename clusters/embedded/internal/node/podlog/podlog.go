// Package podlog keeps what the containers of pods write, and serves it as a
// kubelet does. It knows files and lines, not pods.
package podlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

const (
	maxBytes = 4 << 20
	kept     = 2
	// maxLine is where a line without an end is cut, as container
	// runtimes do, so that it cannot fill the memory.
	maxLine = 64 << 10
	// followBuffer is how far a reader that follows a log may fall behind.
	followBuffer = 8 << 20
	// timeFormat has a fixed width: it is cut off without being parsed.
	timeFormat = "2006-01-02T15:04:05.000000000Z"
)

// Key names a container's log.
type Key struct{ Namespace, Pod, Container string }

// Store holds the logs of the pods' containers: the file of the running or
// last instance, and that of the one before.
type Store struct {
	dir string
	now func() time.Time

	mu   sync.Mutex
	open map[Key]*Log
}

// New returns a store below dir, a folder that is there.
func New(dir string) *Store {
	return &Store{dir: dir, now: time.Now, open: map[Key]*Log{}}
}

func (s *Store) path(key Key, previous bool) string {
	name := key.Namespace + "_" + key.Pod + "_" + key.Container
	if previous {
		name += ".previous"
	}
	return filepath.Join(s.dir, name+".log")
}

// Create starts the log of a new instance of a container. The log of the
// instance before is kept as the previous one.
func (s *Store) Create(key Key) (*Log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current, previous := s.path(key, false), s.path(key, true)
	if _, err := os.Stat(current); err == nil {
		for i := range kept + 1 {
			if os.Rename(rotated(current, i), rotated(previous, i)) != nil {
				_ = os.Remove(rotated(previous, i)) // one of an older instance
			}
		}
	}
	file, err := process.OpenLog(current, maxBytes, kept)
	if err != nil {
		return nil, err
	}
	l := &Log{store: s, key: key, file: file, followers: map[*follower]struct{}{}}
	s.open[key] = l
	return l, nil
}

// Remove deletes a container's logs, once its pod is gone.
func (s *Store) Remove(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range kept + 1 {
		_ = os.Remove(rotated(s.path(key, false), i))
		_ = os.Remove(rotated(s.path(key, true), i))
	}
}

// Clean deletes the logs of pods for which keep says no.
func (s *Store) Clean(keep func(namespace, pod string) bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("reading the folder of pod logs: %w", err)
	}
	for _, entry := range entries {
		// Names of Kubernetes objects hold no underscores.
		parts := strings.SplitN(entry.Name(), "_", 3)
		if len(parts) == 3 && strings.Contains(parts[2], ".log") && !keep(parts[0], parts[1]) {
			_ = os.Remove(filepath.Join(s.dir, entry.Name()))
		}
	}
	return nil
}

// rotated returns the path of the i-th rotated file; 0 is the file itself.
func rotated(path string, i int) string {
	if i == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, i)
}

// Log is the log of one instance of a container: an io.Writer that
// stores each line with the time it was written at, and passes it on to those
// who follow.
type Log struct {
	store *Store
	key   Key
	file  *process.Log

	mu        sync.Mutex
	partial   []byte
	closed    bool
	followers map[*follower]struct{}
}

// Write stores the lines in p. What comes after the last newline waits for the
// rest of its line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.partial = append(l.partial, p...)
			for len(l.partial) > maxLine {
				l.line(l.partial[:maxLine])
				l.partial = append(l.partial[:0], l.partial[maxLine:]...)
			}
			break
		}
		l.partial = append(l.partial, p[:i]...)
		l.line(l.partial)
		l.partial = l.partial[:0]
		p = p[i+1:]
	}
	return n, nil
}

func (l *Log) line(text []byte) {
	line := make([]byte, 0, len(timeFormat)+len(text)+2)
	line = l.store.now().UTC().AppendFormat(line, timeFormat)
	line = append(line, ' ')
	line = append(line, text...)
	line = append(line, '\n')
	_, _ = l.file.Write(line) // a process.Log never fails
	for f := range l.followers {
		f.push(line)
	}
}

// Close ends the log: the instance has ended, and so does following it.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if len(l.partial) > 0 {
		l.line(l.partial)
		l.partial = nil
	}
	for f := range l.followers {
		f.end()
	}
	l.store.mu.Lock()
	if l.store.open[l.key] == l {
		delete(l.store.open, l.key)
	}
	l.store.mu.Unlock()
	return l.file.Close()
}

// follower collects the lines that were written since it began to follow.
type follower struct {
	mu      sync.Mutex
	lines   [][]byte
	size    int
	dropped bool
	ended   bool
	signal  chan struct{} // holds a value when there is something to look at
}

func newFollower() *follower { return &follower{signal: make(chan struct{}, 1)} }

func (f *follower) push(line []byte) {
	f.mu.Lock()
	// The process must not wait for a slow reader. One that has stopped to read,
	// as a kubectl that is suspended, keeps no memory.
	switch {
	case f.dropped:
	case f.size+len(line) > followBuffer:
		f.lines, f.size, f.dropped = nil, 0, true
	default:
		f.lines = append(f.lines, line)
		f.size += len(line)
	}
	f.mu.Unlock()
	f.wake()
}

func (f *follower) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.wake()
}

func (f *follower) wake() {
	select {
	case f.signal <- struct{}{}:
	default:
	}
}

// take returns what has come since the last call, and whether that is all
// that will ever come.
func (f *follower) take() (lines [][]byte, dropped, ended bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines, dropped, ended = f.lines, f.dropped, f.ended
	f.lines, f.size, f.dropped = nil, 0, false
	return lines, dropped, ended
}
