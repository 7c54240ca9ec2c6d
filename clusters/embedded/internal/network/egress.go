package network

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// egressDialWait is how long a host outside may take to accept a connection.
const egressDialWait = 30 * time.Second

// egress dials addresses outside the cluster: directly, or through the proxy
// that the environment of this process names.
type egress struct {
	upstream  func(*url.URL) (*url.URL, error)
	transport *http.Transport
}

func newEgress() *egress {
	upstream := httpproxy.FromEnvironment().ProxyFunc()
	dialer := &net.Dialer{Timeout: egressDialWait}
	return &egress{
		upstream: upstream,
		transport: &http.Transport{
			Proxy:                 func(req *http.Request) (*url.URL, error) { return upstream(req.URL) },
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   egressDialWait,
			DisableCompression:    true,
			IdleConnTimeout:       time.Minute,
			ExpectContinueTimeout: time.Second,
		},
	}
}

// dial connects to hostport, by a tunnel of its own if there is a proxy.
func (e *egress) dial(ctx context.Context, hostport string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, egressDialWait)
	defer cancel()
	via, err := e.upstream(&url.URL{Scheme: "https", Host: hostport})
	if err != nil {
		return nil, fmt.Errorf("reading the proxy from the environment: %w", err)
	}
	var dialer net.Dialer
	if via == nil {
		return dialer.DialContext(ctx, "tcp", hostport)
	}
	var conn net.Conn
	switch via.Scheme {
	case "http":
		conn, err = dialer.DialContext(ctx, "tcp", withPort(via.Host, "80"))
	case "https":
		conn, err = (&tls.Dialer{}).DialContext(ctx, "tcp", withPort(via.Host, "443"))
	default:
		err = fmt.Errorf("proxy scheme %q is not supported; use http or https", via.Scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("reaching the proxy %s: %w", via.Host, err)
	}
	tunnel, err := askTunnel(ctx, conn, via, hostport)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("asking the proxy %s for %s: %w", via.Host, hostport, err)
	}
	return tunnel, nil
}

// askTunnel sends CONNECT over conn and gives the connection behind it.
func askTunnel(ctx context.Context, conn net.Conn, via *url.URL, hostport string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	req := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: hostport},
		Host:   hostport,
		Header: http.Header{},
	}
	if user := via.User; user != nil {
		password, _ := user.Password()
		req.Header.Set("Proxy-Authorization", basicAuth(user.Username(), password))
	}
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, req) //nolint:bodyclose // the answer to CONNECT is the tunnel
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %s", resp.Status)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	return buffered(conn, reader), nil
}

func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, port)
}

// basicAuth is the value of a header that names a user to a proxy.
func basicAuth(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}
