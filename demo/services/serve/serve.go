// Package serve is what the demo's small HTTP servers share: listening, shutting down in time, and strict page headers.
// It also holds Feed, the short memory of events that a server shows as JSON and streams to browsers.
//
// It stands beside the demo's servers, and is not internal to them, because the stage of the slides is such a server too.
// Clients do not need it: what they read is in package event.
package serve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// grace is how long requests in flight may still take after the server's context has ended.
	grace         = 900 * time.Millisecond
	headerTimeout = 5 * time.Second
	// bodyTimeout is how long the body of a small request may take.
	bodyTimeout = 5 * time.Second
	idleTimeout = 2 * time.Minute
	maxHeader   = 32 << 10
)

// Run listens on addr ("127.0.0.1:0", ":8080") and serves h until ctx ends, then stops within one second.
// It returns nil after an ordered stop, and an error if the address cannot be used or the server fails.
func Run(ctx context.Context, addr string, h http.Handler, log *slog.Logger) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w (choose another --addr)", addr, err)
	}
	return Serve(ctx, ln, h, log)
}

// Serve does what Run does on a listener that is open already, and closes it.
// It bounds connections, requests, and streams, and gives up on a client that stops in the middle of a body or an
// answer. There is no timeout for whole requests, because event streams live as long as their page does.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	return serveWithin(ctx, ln, h, log, defaults())
}

func serveWithin(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger, most limits) error {
	draining := make(chan struct{})
	srv := &http.Server{
		Handler:           &limiter{limits: most, next: h},
		ReadHeaderTimeout: most.header,
		IdleTimeout:       most.idle,
		MaxHeaderBytes:    maxHeader,
		ConnState:         newConns(most.conns).track,
		ErrorLog:          slog.NewLogLogger(Logger(log).Handler(), slog.LevelWarn),
		// Requests must survive the end of ctx for the grace period, so they get a context of their own.
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), drainKey{}, (<-chan struct{})(draining))
		},
	}
	Logger(log).Info("listening", "addr", ln.Addr().String())
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	close(draining)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := srv.Shutdown(stop); errors.Is(err, context.DeadlineExceeded) {
		// What is still running had its time; closing also ends its request context.
		return srv.Close()
	} else if err != nil {
		return fmt.Errorf("shutting down %s: %w", ln.Addr(), err)
	}
	return nil
}

type drainKey struct{}

// Draining returns a channel that is closed when the server of the request with this context stops. Streams and long
// polls must end then. Outside Serve it returns nil, which never becomes ready.
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(drainKey{}).(<-chan struct{})
	return c
}

// ReadWithin gives the client d to send the rest of its request, which is less than Serve does; call the returned
// function once the body is read.
func ReadWithin(w http.ResponseWriter, d time.Duration) (done func()) {
	if l := find(w); l != nil {
		if l.body != nil {
			l.body.end = time.Now().Add(d)
		}
		return func() {}
	}
	// Writers that know no deadlines (recorders in tests) need none.
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(d))
	return func() { _ = c.SetReadDeadline(time.Time{}) }
}

// ReadJSON decodes the JSON of a small request, of at most limit bytes, into v. It takes no fields that v does not have.
// If it fails, it answers with the error, and returns false.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) bool {
	defer ReadWithin(w, bodyTimeout)()
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		http.Error(w, "invalid request: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// Logger returns log, or a logger that drops everything if log is nil.
func Logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// Page sets the headers of an HTML page and returns the nonce that its one <style> or <script> element must carry.
// The page may use nothing from elsewhere; it may be framed by pages on loopback, so that a slide can show it.
func Page(w http.ResponseWriter) (nonce string) {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	nonce = base64.RawURLEncoding.EncodeToString(b)
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; img-src data:; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; "+
		"base-uri 'none'; form-action 'none'; frame-ancestors 'self' http://127.0.0.1:* http://localhost:*")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	return nonce
}

// JSON writes v as the JSON answer of a request.
func JSON(w http.ResponseWriter, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	// The client that went away is the only one who would miss what could not be written.
	_ = json.NewEncoder(w).Encode(v)
}

// Healthy answers a readiness or liveness probe.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}
