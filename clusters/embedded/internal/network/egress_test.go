package network

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestEgressRefused(t *testing.T) {
	c := one(t, says("page"))
	client := c.httpClient(t)
	for _, host := range []string{"github.com", "git.fluxdemo", "git.fluxdemo.svc", "10.96.0.10", "127.0.0.1"} {
		status, body := get(t, client, "http://"+host+"/") // Go's client sends even this one: the proxy is set explicitly
		want := "egress is refused: " + host + "; `fluxdemo up --allow-egress` opens it\n"
		if status != 403 || body != want {
			t.Errorf("%s: %d %q", host, status, body)
		}
	}
}

func TestEgressAllowed(t *testing.T) {
	noProxyEnv(t)
	outside := backend(t, says("the world"))
	secure := httptest.NewTLSServer(says("the secure world"))
	t.Cleanup(secure.Close)
	c := prepare(t, long, func(cfg *Config) { cfg.AllowEgress = true }).run(t)
	client := c.httpClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	if _, body := get(t, client, "http://"+outside); body != "the world" {
		t.Errorf("got %q", body)
	}
	if _, body := get(t, client, secure.URL); body != "the secure world" {
		t.Errorf("got %q", body)
	}
	// What belongs to the cluster stays there.
	if status, body := get(t, client, "http://git.nowhere.cluster.local/"); status != 502 || !strings.Contains(body, "does not name a Service") {
		t.Errorf("%d %q", status, body)
	}
	_, closed := freePort(t)
	if status, _ := get(t, client, "http://"+closed); status != 502 {
		t.Errorf("status %d for a host that does not answer", status)
	}
}

func TestEgressThroughUsersProxy(t *testing.T) {
	noProxyEnv(t)
	var connects atomic.Int32
	upstream := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := proxyAuth(r); !ok || user != "me" || password != "pw" {
			http.Error(w, "who are you?", http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			fmt.Fprintf(w, "upstream fetched %s", r.URL)
			return
		}
		connects.Add(1)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\nhello from "+r.Host+"\n")
		_, _ = io.Copy(conn, rw)
	})
	t.Setenv("HTTP_PROXY", "http://me:pw@"+upstream)
	t.Setenv("HTTPS_PROXY", "http://me:pw@"+upstream)
	c := prepare(t, long, func(cfg *Config) { cfg.AllowEgress = true }).run(t)
	if _, body := get(t, c.httpClient(t), "http://example.com/x"); body != "upstream fetched http://example.com/x" {
		t.Errorf("got %q", body)
	}
	conn, reader := c.raw(t, "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	fmt.Fprint(conn, "echo\n")
	for _, want := range []string{"hello from example.com:443\n", "echo\n"} {
		if got, err := reader.ReadString('\n'); got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if connects.Load() != 1 {
		t.Errorf("%d tunnels upstream", connects.Load())
	}
}

func proxyAuth(r *http.Request) (user, password string, ok bool) {
	plain := &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	return plain.BasicAuth()
}

// noProxyEnv hides the proxy settings of whoever runs the tests.
func noProxyEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
}

func TestNotAProxyRequest(t *testing.T) {
	c := one(t, says("page"))
	direct := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	if status, body := get(t, direct, "http://"+c.proxyLn.Addr().String()+"/"); status != 400 || !strings.Contains(body, "forward proxy") {
		t.Errorf("%d %q", status, body)
	}
}
