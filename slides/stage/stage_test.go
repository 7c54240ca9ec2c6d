package stage

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// server is a stage that serves.
type server struct {
	*Stage
	url    string // ends with a slash
	closed func() // closes it, and returns when it is closed
}

// show opens a stage for a deck's file. Options may be changed before.
func show(t *testing.T, file string, change ...func(*Options)) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return showAt(t, ln, file, change...)
}

func showAt(t *testing.T, ln net.Listener, file string, change ...func(*Options)) *server {
	t.Helper()
	o := Options{Deck: file}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	srv := &server{Stage: s, url: "http://" + ln.Addr().String() + "/"}
	srv.closed = func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			ended <- nil // for a second call
		case <-time.After(10 * time.Second):
			t.Error("the stage does not close")
		}
	}
	t.Cleanup(srv.closed)
	return srv
}

// write makes a deck's file.
func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "deck.md")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
