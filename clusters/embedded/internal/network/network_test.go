package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func unreachable(clienttesting.Action) (bool, runtime.Object, error) {
	return true, nil, errors.New("connection refused")
}

// runBlind runs a cluster whose API server does not answer.
func (c *cluster) runBlind(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	socket := filepath.Join(t.TempDir(), "s")
	locate := func(string, int32) (string, bool) { return "", false }
	for name, cfg := range map[string]Config{
		"no client":    {Locate: locate, EgressSocket: socket},
		"not loopback": {Client: fake.NewClientset(), Locate: locate, EgressSocket: socket, ProxyAddr: "0.0.0.0:0"},
		"any address":  {Client: fake.NewClientset(), Locate: locate, EgressSocket: socket, ProxyAddr: ":0"},
		"a name":       {Client: fake.NewClientset(), Locate: locate, EgressSocket: socket, ProxyAddr: "localhost:0"},
		"no folder":    {Client: fake.NewClientset(), Locate: locate, EgressSocket: socket + "/x/y"},
		"port taken":   {Client: fake.NewClientset(), Locate: locate, EgressSocket: socket, ProxyAddr: taken.Addr().String()},
	} {
		_, err := New(cfg)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if name == "port taken" && !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(socket); err == nil {
			t.Errorf("%s: a socket is left", name)
		}
	}
}

// What connects before Run is served once Run runs; the API server may come later still.
func TestStartsBeforeAPIServer(t *testing.T) {
	c := prepare(t, long, nil, service("git"), slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, backend(t, says("page")))
	var asked atomic.Int32
	c.client.PrependReactor("list", "services", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if asked.Add(1) <= 3 {
			return unreachable(action)
		}
		return false, nil, nil
	})
	answer := make(chan string, 1)
	client := c.httpClient(t)
	go func() {
		resp, err := client.Get(gitURL)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	c.run(t)
	if got := <-answer; got != "page" {
		t.Errorf("got %q", got)
	}
}

// TestEndsPromptly has one open connection of each kind when Run ends.
func TestEndsPromptly(t *testing.T) {
	number, nodeAddr := freePort(t)
	began := make(chan bool, 1)
	c := start(t, long, service("git", nodePortNumber(number)), service("none"), slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first ")
		_ = http.NewResponseController(w).Flush()
		began <- true
		<-r.Context().Done()
	}))
	const request = "GET http://git.fluxdemo.svc.cluster.local/ HTTP/1.1\r\nHost: x\r\n\r\n"
	stream, streamReader := c.raw(t, request)
	<-began
	tunnel, tunnelReader := c.raw(t, "CONNECT git.fluxdemo.svc.cluster.local:80 HTTP/1.1\r\nHost: x\r\n\r\n")
	fmt.Fprint(tunnel, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-began
	eventually(t, "the node port is open", func() bool { return !isClosed(nodeAddr)() })
	port, err := net.Dial("tcp", nodeAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	fmt.Fprint(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-began
	api, _, apiReader := c.connect(t, "10.244.0.1:8080")
	fmt.Fprint(api, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-began
	waiting, waitingReader := c.raw(t, strings.ReplaceAll(request, "git.", "none."))
	c.awaitWaiter(t, "fluxdemo/none")

	before := time.Now()
	c.end()
	if took := time.Since(before); took > 2*time.Second {
		t.Errorf("it took %v to end", took)
	}
	for name, reader := range map[string]io.Reader{
		"stream": streamReader, "tunnel": tunnelReader, "node port": port, "API server": apiReader, "waiting": waitingReader,
	} {
		for _, conn := range []net.Conn{stream, tunnel, port, api, waiting} {
			if err := conn.SetReadDeadline(time.Now().Add(long)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.Copy(io.Discard, reader); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection is still open", name)
		}
	}
	if !isClosed(c.proxyLn.Addr().String())() || !isClosed(nodeAddr)() {
		t.Error("a port is still open")
	}
	if _, err := os.Stat(c.cfg.EgressSocket); !os.IsNotExist(err) {
		t.Errorf("the socket file stays behind: %v", err)
	}
}
