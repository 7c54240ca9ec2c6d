package podlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var testKey = Key{Namespace: "ns", Pod: "pod", Container: "c"}

// testLogs is a store whose clock goes on by a second with each line.
func testLogs(t *testing.T) *Store {
	t.Helper()
	s := New(t.TempDir())
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s.now = func() time.Time {
		at = at.Add(time.Second)
		return at
	}
	return s
}

func create(t *testing.T, s *Store) *Log {
	t.Helper()
	l, err := s.Create(testKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLogRead(t *testing.T) {
	s := testLogs(t)
	l := create(t, s)
	for _, part := range []string{"one\ntw", "o\n", "three\n", "four"} {
		if _, err := io.WriteString(l, part); err != nil {
			t.Fatal(err)
		}
	}
	l.Close() // the last line has no end
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"all":        {Options{Tail: -1}, "one\ntwo\nthree\nfour\n"},
		"tail":       {Options{Tail: 2}, "three\nfour\n"},
		"tail 0":     {Options{Tail: 0}, ""},
		"tail many":  {Options{Tail: 99}, "one\ntwo\nthree\nfour\n"},
		"since":      {Options{Tail: -1, Since: time.Date(2030, 1, 1, 0, 0, 3, 0, time.UTC)}, "three\nfour\n"},
		"limit":      {Options{Tail: -1, Limit: 6}, "one\ntw"},
		"timestamps": {Options{Tail: 1, Timestamps: true}, "2030-01-01T00:00:04.000000000Z four\n"},
		"follow":     {Options{Tail: 1, Follow: true}, "four\n"}, // of an ended instance: it ends
	} {
		var out strings.Builder
		if err := s.Read(t.Context(), testKey, test.options, &out, func() {}); err != nil || out.String() != test.want {
			t.Errorf("%s: got %q, %v, want %q", name, out.String(), err, test.want)
		}
	}
	err := s.Read(t.Context(), testKey, Options{Previous: true}, io.Discard, func() {})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("previous of the first instance: %v", err)
	}
}

func TestLogPrevious(t *testing.T) {
	s := testLogs(t)
	for i := range 3 {
		l := create(t, s)
		fmt.Fprintf(l, "instance %d\n", i)
		l.Close()
	}
	for previous, want := range map[bool]string{false: "instance 2\n", true: "instance 1\n"} {
		var out strings.Builder
		if err := s.Read(t.Context(), testKey, Options{Tail: -1, Previous: previous}, &out, func() {}); err != nil || out.String() != want {
			t.Errorf("previous %v: %q, %v", previous, out.String(), err)
		}
	}
	s.Remove(testKey)
	if left, _ := os.ReadDir(s.dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestLogFollow follows through a rotation and sees each line once.
func TestLogFollow(t *testing.T) {
	s := testLogs(t)
	l := create(t, s)
	line := strings.Repeat("x", 1000)
	const before, after = 100, 6000 // the file is rotated at 4 MB, a reader may be 8 MB behind
	for i := range before {
		fmt.Fprintf(l, "%d %s\n", i, line)
	}
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := s.Read(t.Context(), testKey, Options{Tail: -1, Follow: true}, writer, func() {})
		writer.Close()
		done <- err
	}()
	buffer := make([]byte, 1)
	if _, err := io.ReadFull(reader, buffer); err != nil { // it follows from here on
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range after {
			fmt.Fprintf(l, "%d %s\n", before+i, line)
		}
		l.Close()
	}()
	data, err := io.ReadAll(io.MultiReader(strings.NewReader(string(buffer)), reader))
	if err != nil {
		t.Fatal(err)
	}
	<-written
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != before+after {
		t.Fatalf("%d lines, want %d", len(lines), before+after)
	}
	for i, text := range lines {
		if !strings.HasPrefix(text, fmt.Sprintf("%d ", i)) {
			t.Fatalf("line %d is %.20q", i, text)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "ns_pod_c.log.1")); err != nil {
		t.Error("the log was not rotated")
	}
}

func followerOf(l *Log) *follower {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.followers {
		return f
	}
	return nil
}

func TestLogFollowEndsWithReader(t *testing.T) {
	s := testLogs(t)
	l := create(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Read(ctx, testKey, Options{Tail: -1, Follow: true}, io.Discard, func() {}); err != nil {
		t.Fatal(err)
	}
	if followerOf(l) != nil {
		t.Error("the follower is still there")
	}
}

func TestLogClean(t *testing.T) {
	s := testLogs(t)
	create(t, s).Close()
	if err := s.Clean(func(namespace, pod string) bool { return namespace == "ns" && pod == "pod" }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.path(testKey, false)); err != nil {
		t.Error("the log of a pod that is there was removed")
	}
	if err := s.Clean(func(string, string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.path(testKey, false)); err == nil {
		t.Error("the log of a pod that is gone was kept")
	}
}

func TestParseLogOptions(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC)
	for query, want := range map[string]Options{
		"":                               {Tail: -1},
		"tailLines=0&follow=true":        {Tail: 0, Follow: true},
		"sinceSeconds=4&timestamps=1":    {Tail: -1, Since: now.Add(-4 * time.Second), Timestamps: true},
		"limitBytes=9&previous=true":     {Tail: -1, Limit: 9, Previous: true},
		"sinceTime=2030-01-01T00:00:00Z": {Tail: -1, Since: now.Add(-10 * time.Second)},
	} {
		values, _ := url.ParseQuery(query)
		if got, err := ParseOptions(values, now); err != nil || got != want {
			t.Errorf("%q: %+v, %v", query, got, err)
		}
	}
	for _, query := range []string{"tailLines=-1", "tailLines=x", "limitBytes=0", "follow=perhaps", "sinceTime=yesterday"} {
		values, _ := url.ParseQuery(query)
		if _, err := ParseOptions(values, now); err == nil {
			t.Errorf("%q was taken", query)
		}
	}
}
