package serve

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// limits bound what clients can have a server hold. All users of the machine reach it.
type limits struct {
	conns    int // open connections; above that, those are closed that have no request
	requests int // at a time; fewer than conns, so that a probe still gets through
	streams  int // of the requests, how many may be streams and long polls
	header   time.Duration
	idle     time.Duration
	stall    time.Duration // how long a body may bring nothing, and a client may take nothing of an answer
	body     time.Duration // how long a body may take, however it trickles
}

func defaults() limits {
	return limits{
		conns: 512, requests: 448, streams: 256,
		header: headerTimeout, idle: idleTimeout, stall: 20 * time.Second, body: 5 * time.Minute,
	}
}

// limiter applies limits to the requests of one server.
type limiter struct {
	limits
	next http.Handler

	mu                sync.Mutex
	requests, streams int // now
}

// ServeHTTP passes a request on if there is room for it. A probe always has room.
func (l *limiter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		l.serve(w, r)
		return
	}
	if !l.take(&l.requests, l.limits.requests) {
		w.Header().Set("Connection", "close")
		busy(w)
		return
	}
	defer l.give(&l.requests)
	l.serve(w, r)
}

func (l *limiter) serve(w http.ResponseWriter, r *http.Request) {
	lw := &limited{ResponseWriter: w, limiter: l, c: http.NewResponseController(w)}
	defer lw.end()
	if r.Body != http.NoBody {
		lw.body = &timedBody{ReadCloser: r.Body, c: lw.c, stall: l.stall, end: time.Now().Add(l.body)}
		r.Body = lw.body
	}
	if r.Header.Get("Upgrade") != "" { // the handler takes the connection over
		l.next.ServeHTTP(w, r)
		return
	}
	l.next.ServeHTTP(lw, r)
}

func (l *limiter) take(n *int, most int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *n >= most {
		return false
	}
	*n++
	return true
}

func (l *limiter) give(n *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*n--
}

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "this server has too many requests at a time: close some pages, and try again", http.StatusServiceUnavailable)
}

// limited is the answer to a request: a client that takes nothing of it for too long loses it.
type limited struct {
	http.ResponseWriter
	limiter *limiter
	c       *http.ResponseController
	body    *timedBody // nil without one
	held    bool       // it counts as a stream
}

// chunk is how much a client has the time of a stall for.
const chunk = 64 << 10

func (w *limited) Write(b []byte) (n int, err error) {
	for {
		part := b[n:min(len(b), n+chunk)]
		_ = w.c.SetWriteDeadline(time.Now().Add(w.limiter.stall)) // a recorder in tests knows none
		m, err := w.ResponseWriter.Write(part)
		n += m
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// FlushError sends what has been written so far.
func (w *limited) FlushError() error {
	_ = w.c.SetWriteDeadline(time.Now().Add(w.limiter.stall))
	return w.c.Flush()
}

// Unwrap lets http.ResponseController find the connection.
func (w *limited) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// end is called when the handler has returned. What is left of the answer, and of the body, still has its limits.
func (w *limited) end() {
	if w.held {
		w.limiter.give(&w.limiter.streams)
	}
	_ = w.c.SetWriteDeadline(time.Now().Add(w.limiter.stall))
	if w.body != nil && !w.body.done {
		_ = w.c.SetReadDeadline(w.body.limit())
	}
}

// timedBody is a body that has to make progress.
type timedBody struct {
	io.ReadCloser
	c     *http.ResponseController
	stall time.Duration
	end   time.Time
	done  bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	_ = b.c.SetReadDeadline(b.limit())
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF { //nolint:errorlint // as a Reader returns it
		b.done = true
		_ = b.c.SetReadDeadline(time.Time{}) // from now on the server only waits for the client to hang up
	}
	return n, err
}

// limit is until when the next piece has to be there.
func (b *timedBody) limit() time.Time {
	if limit := time.Now().Add(b.stall); limit.Before(b.end) {
		return limit
	}
	return b.end
}

// find returns the limited that a writer wraps, or nil.
func find(w http.ResponseWriter) *limited {
	for {
		if l, is := w.(*limited); is {
			return l
		}
		u, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			return nil
		}
		w = u.Unwrap()
	}
}

// Hold counts a request as one that is going to wait, such as a long poll. If there are too many of these, it answers,
// and returns false.
func Hold(w http.ResponseWriter) bool {
	l := find(w)
	if l == nil || l.held {
		return true
	}
	if !l.limiter.take(&l.limiter.streams, l.limiter.limits.streams) {
		busy(w)
		return false
	}
	l.held = true
	return true
}
