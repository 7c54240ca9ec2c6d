package network

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// connect asks the tunnel for hostport, word for word as kube-apiserver does.
func (c *cluster) connect(t *testing.T, hostport string) (*net.UnixConn, *http.Response, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("unix", c.cfg.EgressSocket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", hostport, "127.0.0.1")
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.UnixConn), resp, reader
}

func TestTunnel(t *testing.T) {
	kubelet := echoAtEnd(t)
	c := prepare(t, 30*time.Millisecond, func(cfg *Config) { cfg.NodeAddr = func() string { return kubelet } },
		service("git"), slice("git", endpoint{"10.244.0.1", true})).run(t)
	c.serve("10.244.0.1", 8080, echoAtEnd(t))
	_, closed := freePort(t)
	c.serve("10.244.0.3", 8080, closed)
	outside := echoAtEnd(t)
	for _, test := range []struct {
		hostport string
		status   int
		reason   string
	}{
		{"10.244.0.1:8080", 200, ""},
		{"10.96.0.10:80", 200, ""},
		{kubelet, 200, ""},
		{"10.96.0.10:81", 502, "has no TCP port 81"},
		{"10.244.0.1:9090", 403, "neither a pod nor a Service nor the node"},
		{"10.244.0.3:8080", 502, "refused"},
		{outside, 403, "neither a pod nor a Service nor the node"},
		{"git.fluxdemo.svc.cluster.local:80", 403, "neither"},
		{"example.com:443", 403, "neither"},
		{"10.244.0.1:0", 403, "neither"},
	} {
		conn, resp, reader := c.connect(t, test.hostport)
		if resp.StatusCode != test.status || !strings.Contains(resp.Status, test.reason) {
			t.Errorf("%s: %s, want %d %s", test.hostport, resp.Status, test.status, test.reason)
			continue
		}
		if test.status != 200 {
			continue
		}
		fmt.Fprint(conn, "through")
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); string(got) != "through" || err != nil {
			t.Errorf("%s: %q, %v", test.hostport, got, err)
		}
	}
}

func TestTunnelWithoutNode(t *testing.T) {
	c := start(t, long)
	if _, resp, _ := c.connect(t, "127.0.0.1:10250"); resp.StatusCode != 403 {
		t.Errorf("status %s", resp.Status)
	}
}

func TestTunnelServesOnlyConnect(t *testing.T) {
	c := start(t, long)
	conn, err := net.Dial("unix", c.cfg.EgressSocket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET http://git.fluxdemo.svc.cluster.local/ HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Error(resp, err)
	}
}

func TestSocketFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a socket that answers: %v", err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	old.Close() // as after kill -9: the file stays
	listener, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	listener.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket file stays behind: %v", err)
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file: "not a socket",
		filepath.Join(dir, strings.Repeat("x", 100)): "XDG_STATE_HOME",
		filepath.Join(dir, "missing", "s"):           "no such file",
	} {
		if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if data, _ := os.ReadFile(file); string(data) != "precious" {
		t.Error("a file was removed that is not a socket")
	}
}
