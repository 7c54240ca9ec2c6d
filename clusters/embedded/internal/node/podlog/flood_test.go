package podlog

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// flood writes without newlines, as a container's output arrives.
func flood(t *testing.T, l *Log, size int) {
	t.Helper()
	chunk := bytes.Repeat([]byte("x"), 32<<10)
	for range size / len(chunk) {
		if n, err := l.Write(chunk); err != nil || n != len(chunk) {
			t.Fatal(n, err)
		}
	}
}

// TestLineWithoutEnd floods a log with one line of 100 MB. The files and what
// is kept in memory stay small, and so do the lines that readers get.
func TestLineWithoutEnd(t *testing.T) {
	s := testLogs(t)
	l := create(t, s)
	const size = 100 << 20
	flood(t, l, size)
	if len(l.partial) > maxLine {
		t.Errorf("%d bytes wait for the end of their line", len(l.partial))
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > (kept+1)*maxBytes {
		t.Errorf("%d bytes in %d files, want at most %d", total, len(files), (kept+1)*maxBytes)
	}
	longest := &longestWrite{}
	if err := s.Read(t.Context(), testKey, Options{Tail: -1}, longest, func() {}); err != nil {
		t.Fatal(err)
	}
	if longest.bytes > maxLine+1 || longest.bytes == 0 {
		t.Errorf("a reader gets %d bytes at once", longest.bytes)
	}
}

type longestWrite struct{ bytes int }

func (w *longestWrite) Write(p []byte) (int, error) {
	w.bytes = max(w.bytes, len(p))
	return len(p), nil
}

// TestHungFollower floods a log while a reader that follows it does not read.
// The container's output does not wait, and nothing is kept for the reader,
// which learns that it has missed something once it reads again.
func TestHungFollower(t *testing.T) {
	s := testLogs(t)
	l := create(t, s)
	_, _ = io.WriteString(l, "first\n")
	reader, writer := io.Pipe()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	done := make(chan error, 1)
	go func() {
		err := s.Read(ctx, testKey, Options{Tail: -1, Follow: true}, writer, func() {})
		writer.Close()
		done <- err
	}()
	first := make([]byte, len("first\n"))
	if _, err := io.ReadFull(reader, first); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(l, "held\n")
	follower := followerOf(l)
	for taken := false; !taken; runtime.Gosched() { // then the reader is stuck with it
		follower.mu.Lock()
		taken = len(follower.lines) == 0
		follower.mu.Unlock()
	}
	flood(t, l, 3*followBuffer)
	follower.mu.Lock()
	size, dropped := follower.size, follower.dropped
	follower.mu.Unlock()
	if size != 0 || !dropped {
		t.Errorf("%d bytes are kept for a reader that does not read", size)
	}
	go func() {
		buffer := make([]byte, 1<<20)
		rest := ""
		for !strings.Contains(rest, "left out") {
			n, err := reader.Read(buffer)
			if err != nil {
				return
			}
			rest += string(buffer[:n])
		}
		_, _ = io.WriteString(l, "\nlast\n")
		for !strings.HasSuffix(rest, "last\n") {
			n, err := reader.Read(buffer)
			if err != nil {
				return
			}
			rest += string(buffer[:n])
		}
		leave()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if ctx.Err() == nil {
		t.Error("the reader did not get what came after the gap")
	}
	if followerOf(l) != nil {
		t.Error("the follower is left")
	}
}
