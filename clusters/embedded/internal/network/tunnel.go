package network

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
)

// tunnel serves the API server's egress selector: CONNECT to pods, to
// Services' cluster IPs and to the node's kubelet API, and to nothing else.
type tunnel struct {
	resolve  *resolver
	nodeAddr func() string
}

// ServeHTTP serves one CONNECT of the API server.
func (t *tunnel) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodConnect {
		http.Error(w, "only CONNECT is served here", http.StatusMethodNotAllowed)
		return
	}
	serveTunnel(w, req, t.dial)
}

func (t *tunnel) dial(ctx context.Context, hostport string) (net.Conn, error) {
	if addr := t.nodeAddr(); addr != "" && addr == hostport {
		return dialLocal(ctx, "tcp", addr)
	}
	refused := fail(http.StatusForbidden, "%s is neither a pod nor a Service nor the node", hostport)
	host, portText, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, refused
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || net.ParseIP(host) == nil {
		return nil, refused
	}
	if addr, ok := t.resolve.locate(host, int32(port)); ok {
		return dialLocal(ctx, "tcp", addr)
	}
	service, err := t.resolve.serviceAt(ctx, host)
	if err != nil {
		return nil, err
	}
	if service == nil {
		return nil, refused
	}
	return t.resolve.dial(ctx, servicePort{namespace: service.Namespace, name: service.Name, port: int32(port)})
}

// serviceAt gives the Service with that cluster IP, or nil if none has it.
func (r *resolver) serviceAt(ctx context.Context, ip string) (*corev1.Service, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	if err := r.awaitSynced(ctx); err != nil {
		return nil, err
	}
	found, err := r.services.GetIndexer().ByIndex(byClusterIP, ip)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	service, _ := found[0].(*corev1.Service)
	return service, nil
}

// serveTunnel answers a CONNECT request: it dials the far end and then passes
// bytes both ways. What went wrong is said in the status line too, since that
// is all that most clients show of a refused CONNECT.
func serveTunnel(w http.ResponseWriter, req *http.Request, dial func(ctx context.Context, hostport string) (net.Conn, error)) {
	ctx := req.Context()
	far, err := dial(ctx, req.URL.Host)
	conn, rw, hijackErr := http.NewResponseController(w).Hijack()
	if hijackErr != nil {
		if far != nil {
			far.Close()
		}
		http.Error(w, "CONNECT needs HTTP/1.1", http.StatusHTTPVersionNotSupported)
		return
	}
	defer conn.Close()
	if err != nil {
		line := strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, err.Error())
		fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n",
			statusOf(err), line, len(line)+1, line)
		return
	}
	defer far.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	conns.Join(ctx, buffered(conn, rw.Reader), far)
}

// buffered gives conn back with what reader has read ahead of it, if anything.
func buffered(conn net.Conn, reader *bufio.Reader) net.Conn {
	ahead := reader.Buffered()
	if ahead == 0 {
		return conn
	}
	return &aheadConn{Conn: conn, reader: io.MultiReader(io.LimitReader(reader, int64(ahead)), conn)}
}

type aheadConn struct {
	net.Conn
	reader io.Reader
}

func (c *aheadConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

func (c *aheadConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Conn.Close()
}

// listenSocket listens on a unix socket that only the user may open, in a
// folder that only the user may enter. A socket
// that a dead process left is removed, one that answers is not.
func listenSocket(path string) (net.Listener, error) {
	const longest = 103 // what every system's socket address holds
	if len(path) > longest {
		return nil, fmt.Errorf("the socket's path %q is longer than %d bytes; choose a shorter state folder (XDG_STATE_HOME)", path, longest)
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("%s exists and is not a socket; remove it", path)
	default:
		if conn, err := net.Dial("unix", path); err == nil {
			conn.Close()
			return nil, fmt.Errorf("%s is in use by a running cluster; `fluxdemo down` stops it", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("removing a stale socket: %w", err)
		}
	}
	// Until the socket has its own mode, that of its folder counts.
	if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	return listener, nil
}
