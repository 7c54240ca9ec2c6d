package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// Stream is an answer made of server-sent events.
type Stream struct {
	w io.Writer
	c *http.ResponseController
}

// NewStream starts a stream, asking browsers to reconnect after 300 ms; ok is false if the connection cannot stream, or
// there are too many streams.
func NewStream(w http.ResponseWriter) (s *Stream, ok bool) {
	if !Hold(w) {
		return nil, false
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	s = &Stream{w: w, c: http.NewResponseController(w)}
	return s, s.write([]byte("retry: 300\n\n")) == nil
}

// Send writes one event with v as JSON; id may be empty.
func (s *Stream) Send(id, name string, v any) error {
	data, err := json.Marshal(v) // a single line, as the format wants
	if err != nil {
		return fmt.Errorf("encoding event %s: %w", name, err)
	}
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
	return s.write(b.Bytes())
}

// Wait returns true when changed is closed, and false when the client is gone or the server stops.
// Meanwhile it keeps the connection alive with comments.
func (s *Stream) Wait(ctx context.Context, changed <-chan struct{}) bool {
	t := time.NewTicker(event.KeepAlive)
	defer t.Stop()
	for {
		select {
		case <-changed:
			return true
		case <-ctx.Done():
			return false
		case <-Draining(ctx):
			return false
		case <-t.C:
			if s.write([]byte(":\n\n")) != nil {
				return false
			}
		}
	}
}

func (s *Stream) write(b []byte) error {
	if _, err := s.w.Write(b); err != nil {
		return fmt.Errorf("writing event: %w", err)
	}
	if err := s.c.Flush(); err != nil {
		return fmt.Errorf("writing event: %w", err)
	}
	return nil
}
