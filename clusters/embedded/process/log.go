package process

import (
	"fmt"
	"os"
	"sync"
)

// Log is a log file that is rotated when it has grown large: file, file.1 and
// so on up to the number to keep. It is safe for use by several goroutines.
type Log struct {
	path string
	max  int64
	keep int

	mu   sync.Mutex
	file *os.File
	size int64
}

// OpenLog opens the log file at path for appending, mode 0600. It is rotated
// before it would grow over max bytes; keep old files are kept.
func OpenLog(path string, max int64, keep int) (*Log, error) {
	l := &Log{path: path, max: max, keep: keep}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	return l, nil
}

func (l *Log) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write appends p to the log. A disk that is full costs log lines, not the
// process that writes them: errors are swallowed.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return len(p), nil
	}
	if l.size > 0 && l.size+int64(len(p)) > l.max {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(p)
		l.size += int64(n)
	}
	return len(p), nil
}

func (l *Log) rotate() {
	l.file.Close()
	l.file = nil
	for i := l.keep - 1; i > 0; i-- {
		_ = os.Rename(fmt.Sprintf("%s.%d", l.path, i), fmt.Sprintf("%s.%d", l.path, i+1))
	}
	if l.keep > 0 {
		_ = os.Rename(l.path, l.path+".1")
	} else {
		_ = os.Remove(l.path)
	}
	_ = l.open()
}

// Close closes the file; later writes are dropped.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
