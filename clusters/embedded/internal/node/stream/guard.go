package stream

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"

	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/refusal"
)

// Guard stands before virtual-kubelet's handler of exec or attach.
type Guard struct {
	// Check returns why a request is refused. A refusal is an ordinary answer,
	// which kubectl shows as one line; a connection that is a stream already
	// has none.
	Check func(r *http.Request) error
	// Run serves a client. It does so for the protocol that kubectl prefers,
	// which virtual-kubelet does not have.
	Run func(ctx context.Context, r *http.Request, client Client) error
	// Next serves all other protocols.
	Next http.Handler
}

// ServeHTTP serves a request. Its context ends when the client's connection
// does: not all protocols tell that the client is gone.
func (g Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := g.Check(r); err != nil {
		refusal.Send(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	watched := &watchedWriter{w, cancel}
	if wsstream.IsWebSocketRequestWithStreamCloseProtocol(r) {
		serveWebSocket(watched, r.WithContext(ctx), g.Run)
		return
	}
	g.Next.ServeHTTP(watched, r.WithContext(ctx))
}

// watchedWriter calls gone when the connection that is taken from it ends.
type watchedWriter struct {
	http.ResponseWriter
	gone func()
}

// Hijack implements http.Hijacker, which the handlers ask for by type.
func (w *watchedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	ahead := make([]byte, buffers.Reader.Buffered())
	if _, err := io.ReadFull(buffers.Reader, ahead); err != nil {
		conn.Close()
		return nil, nil, err
	}
	watched := &watchedConn{conn, w.gone}
	reader := bufio.NewReader(io.MultiReader(bytes.NewReader(ahead), watched))
	return watched, bufio.NewReadWriter(reader, bufio.NewWriter(watched)), nil
}

// Unwrap lets http.ResponseController find the rest.
func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type watchedConn struct {
	net.Conn
	gone func()
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.gone()
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.gone()
	return c.Conn.Close()
}
