package stream

import (
	"bufio"
	"net"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
	"k8s.io/apimachinery/pkg/util/portforward"
	clientportforward "k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

// Tunnel lets virtual-kubelet's handler of port-forward, which speaks SPDY,
// serve clients that send SPDY through a WebSocket, as kubectl does.
func Tunnel(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !wsstream.IsWebSocketRequestWithTunnelingProtocol(r) {
			next.ServeHTTP(w, r)
			return
		}
		inner := r.Clone(r.Context())
		inner.Method, inner.Body = http.MethodPost, nil
		for _, name := range []string{wsstream.WebSocketProtocolHeader, "Sec-Websocket-Key", "Sec-Websocket-Version", httpstream.HeaderProtocolVersion} {
			inner.Header.Del(name)
		}
		inner.Header.Set(httpstream.HeaderConnection, httpstream.HeaderUpgrade)
		inner.Header.Set(httpstream.HeaderUpgrade, spdy.HeaderSpdy31)
		for _, protocol := range websocket.Subprotocols(r) {
			if name, ok := strings.CutPrefix(protocol, portforward.WebsocketsSPDYTunnelingPrefix); ok {
				inner.Header.Add(httpstream.HeaderProtocolVersion, name)
			}
		}
		next.ServeHTTP(&tunnelWriter{ResponseWriter: w, request: r, header: http.Header{}}, inner)
	})
}

// tunnelWriter answers as the handler does, unless that upgrades to SPDY: then
// the client's connection becomes a WebSocket, and SPDY goes through it.
type tunnelWriter struct {
	http.ResponseWriter
	request *http.Request
	header  http.Header // until it is known which of the two it is
	refused bool
}

// Header returns the header of the answer to the handler.
func (w *tunnelWriter) Header() http.Header {
	if w.refused {
		return w.ResponseWriter.Header()
	}
	return w.header
}

// WriteHeader passes on an answer that is not an upgrade.
func (w *tunnelWriter) WriteHeader(code int) {
	if code == http.StatusSwitchingProtocols {
		return // the WebSocket has an answer of its own
	}
	if !w.refused {
		w.refused = true
		for name, values := range w.header {
			w.ResponseWriter.Header()[name] = values
		}
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write passes on the text of an answer that is not an upgrade.
func (w *tunnelWriter) Write(p []byte) (int, error) {
	if !w.refused {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Hijack opens the WebSocket and returns what goes through it.
func (w *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	upgrader := websocket.Upgrader{
		// The client has shown a certificate; it is no page in a browser.
		CheckOrigin:  func(*http.Request) bool { return true },
		Subprotocols: []string{portforward.WebsocketsSPDYTunnelingPrefix + w.header.Get(httpstream.HeaderProtocolVersion)},
	}
	socket, err := upgrader.Upgrade(w.ResponseWriter, w.request, nil)
	if err != nil {
		return nil, nil, err
	}
	conn := clientportforward.NewTunnelingConnection("node", socket)
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}
