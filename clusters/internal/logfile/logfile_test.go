package logfile

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines collects what is written and tells about each write.
type lines struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case l.wrote <- struct{}{}:
	default:
	}
	return l.text.Write(p)
}

func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		l.mu.Lock()
		got := l.text.String()
		l.mu.Unlock()
		if got == text {
			return
		}
		select {
		case <-l.wrote:
		case <-deadline:
			t.Fatalf("got %q, want %q", got, text)
		}
	}
}

func TestFollowFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etcd.log")
	write := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	ctx, cancel := context.WithCancel(context.Background())
	out := &lines{wrote: make(chan struct{}, 1)}
	ended := make(chan error, 1)
	go func() { ended <- Follow(ctx, path, true, out) }()
	out.await(t, "one\n")
	write("two\n")
	out.await(t, "one\ntwo\n")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	out.await(t, "one\ntwo\nthree\n")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	var all bytes.Buffer
	if err := Follow(context.Background(), path, false, &all); err != nil || all.String() != "three\n" {
		t.Errorf("without follow: %q, %v", all.String(), err)
	}
	err := Follow(context.Background(), filepath.Join(t.TempDir(), "nobody.log"), false, &all)
	if err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("no such log: %v", err)
	}
}
