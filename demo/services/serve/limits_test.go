package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveLimited serves a handler with limits, and returns where.
func serveLimited(t *testing.T, h http.Handler, change func(*limits)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	most := defaults()
	change(&most)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serveWithin(ctx, ln, h, nil, most) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// dial connects, and sends a part of a request.
func dial(t *testing.T, addr, part string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, part); err != nil {
		t.Fatal(err)
	}
	return c
}

// status reads the status of an answer.
func status(t *testing.T, c net.Conn) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil) //nolint:bodyclose // that would read a stream to its end
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

// TestHalfSentBodies ends requests whose bodies never end, and those that only trickle.
func TestHalfSentBodies(t *testing.T) {
	read := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reads", func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})
	mux.HandleFunc("POST /soon", func(w http.ResponseWriter, r *http.Request) {
		defer ReadWithin(w, 50*time.Millisecond)()
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})
	mux.HandleFunc("POST /ignores", func(http.ResponseWriter, *http.Request) { read <- nil })
	for _, c := range []struct {
		name, path string
		change     func(*limits)
		trickles   bool
		failed     bool
	}{
		{"stalled", "/reads", func(l *limits) { l.stall = 50 * time.Millisecond }, false, true},
		{"trickling", "/reads", func(l *limits) { l.body = 200 * time.Millisecond }, true, true},
		{"a small request", "/soon", func(*limits) {}, false, true},
		{"not read", "/ignores", func(l *limits) { l.stall = 50 * time.Millisecond }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dial(t, serveLimited(t, mux, c.change), "POST "+c.path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")
			if c.trickles {
				go func() {
					for range 99990 {
						if _, err := io.WriteString(conn, "x"); err != nil {
							return
						}
						time.Sleep(time.Millisecond)
					}
				}()
			}
			if err := <-read; (err != nil) != c.failed {
				t.Errorf("the handler has read: %v", err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the connection is not closed: %v", err)
			}
		})
	}
}

// TestSlowReader gives up on a client that takes nothing of an answer.
func TestSlowReader(t *testing.T) {
	wrote := make(chan error, 1)
	addr := serveLimited(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 256<<20))
		wrote <- err
	}), func(l *limits) { l.stall = 50 * time.Millisecond })
	dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := <-wrote; err == nil {
		t.Error("all of it was sent to a client that does not read")
	}
}

// TestStreamsBounded refuses one stream too many, and leaves room for other requests and for probes.
func TestStreamsBounded(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/stream", NewFeed[string](1).Stream(func(Item[string]) (string, any) { return "x", nil }))
	mux.HandleFunc("/page", Healthy)
	mux.HandleFunc("/healthz", Healthy)
	addr := serveLimited(t, mux, func(l *limits) { l.streams, l.requests = 2, 3 })
	get := func(path string) net.Conn { return dial(t, addr, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n") }
	var streams []net.Conn
	for i, want := range []int{200, 200, 503} {
		c := get("/stream")
		streams = append(streams, c)
		if got := status(t, c); got != want {
			t.Errorf("stream %d: %d, want %d", i, got, want)
		}
	}
	if got := status(t, get("/page")); got != http.StatusOK {
		t.Errorf("a page beside the streams: %d", got)
	}
	if err := streams[0].Close(); err != nil {
		t.Fatal(err)
	}
	for status(t, get("/stream")) != http.StatusOK { // until the server has noticed
	}
}

// TestRequestsBounded answers a request too many at once, and a probe always.
func TestRequestsBounded(t *testing.T) {
	inside, leave := make(chan struct{}, 2), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/works", func(http.ResponseWriter, *http.Request) { inside <- struct{}{}; <-leave })
	mux.HandleFunc("/healthz", Healthy)
	addr := serveLimited(t, mux, func(l *limits) { l.requests = 2 })
	get := func(path string) net.Conn { return dial(t, addr, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n") }
	for range 2 {
		get("/works")
		<-inside
	}
	if got := status(t, get("/works")); got != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", got)
	}
	if got := status(t, get("/healthz")); got != http.StatusOK {
		t.Errorf("a probe: %d", got)
	}
	close(leave)
}

// TestConnsBounded opens more connections than the server keeps: those without a request make room.
func TestConnsBounded(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/works", func(w http.ResponseWriter, r *http.Request) { inside <- struct{}{}; <-leave; Healthy(w, r) })
	mux.HandleFunc("/healthz", Healthy)
	addr := serveLimited(t, mux, func(l *limits) { l.conns = 8 })
	working := dial(t, addr, "GET /works HTTP/1.1\r\nHost: x\r\n\r\n")
	<-inside
	var silent []net.Conn
	for range 40 {
		silent = append(silent, dial(t, addr, "GET / HT"))
	}
	if got := status(t, dial(t, addr, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")); got != http.StatusOK {
		t.Errorf("a probe: %d", got)
	}
	_, _ = io.Copy(io.Discard, silent[0]) // returns when the server has closed it, long before the time for its header
	close(leave)
	if got := status(t, working); got != http.StatusOK {
		t.Errorf("the one with a request: %d", got)
	}
}

// TestConns forgets what is closed or taken over.
func TestConns(t *testing.T) {
	s := newConns(2)
	var all []net.Conn
	for range 4 {
		c, _ := net.Pipe()
		all = append(all, c)
	}
	for i, step := range []struct {
		conn  int
		state http.ConnState
		old   int // which is to be closed, or -1
	}{
		{0, http.StateNew, -1},
		{0, http.StateActive, -1},
		{1, http.StateNew, -1},
		{2, http.StateNew, 1},
		{2, http.StateActive, -1},
		{3, http.StateNew, 3}, // all others have requests
		{0, http.StateIdle, -1},
		{3, http.StateNew, 0},
		{3, http.StateHijacked, -1},
		{2, http.StateClosed, -1},
	} {
		old := s.change(all[step.conn], step.state)
		got := -1
		for n, c := range all {
			if c == old {
				got = n
			}
		}
		if got != step.old {
			t.Errorf("step %d closes %d, want %d", i, got, step.old)
		}
	}
	if len(s.all) != 0 || len(s.waiting) != 0 {
		t.Errorf("it remembers %d and %d", len(s.all), len(s.waiting))
	}
}

// TestLongHeader refuses a header that is too long.
func TestLongHeader(t *testing.T) {
	addr := serveLimited(t, http.HandlerFunc(Healthy), func(*limits) {})
	c := dial(t, addr, "GET / HTTP/1.1\r\nHost: x\r\n")
	go func() { _, _ = fmt.Fprintf(c, "X: %s\r\n\r\n", strings.Repeat("x", 2*maxHeader)) }()
	if got := status(t, c); got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", got)
	}
}
