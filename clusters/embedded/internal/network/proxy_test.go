package network

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const gitURL = "http://git.fluxdemo.svc.cluster.local"

// one starts a cluster whose Service git is served by handler.
func one(t *testing.T, handler http.HandlerFunc) *cluster {
	t.Helper()
	c := start(t, long, service("git"), slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, backend(t, handler))
	return c
}

func TestRequestPassesUnchanged(t *testing.T) {
	var got *http.Request
	var body string
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r, string(data)
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set("Content-Encoding", "gzip") // a lie, and not ours to read
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "answer")
		w.Header().Set("X-Sum", "42")
	})
	req, err := http.NewRequest(http.MethodPut, gitURL+"/a%2Fb?x=1;y=%zz", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "192.0.2.1")
	req.Header.Set("Accept-Encoding", "br")
	req.Header.Set("Connection", "X-Private")
	req.Header.Set("X-Private", "1")
	req.Header.Set("Authorization", "Bearer token")
	req.Header["User-Agent"] = nil
	resp, err := c.httpClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct{ what, got, want string }{
		{"host", got.Host, "git.fluxdemo.svc.cluster.local"},
		{"URI", got.RequestURI, "/a%2Fb?x=1;y=%zz"},
		{"body", body, "body"},
		{"X-Forwarded-For", got.Header.Get("X-Forwarded-For"), "192.0.2.1"},
		{"Accept-Encoding", got.Header.Get("Accept-Encoding"), "br"},
		{"Authorization", got.Header.Get("Authorization"), "Bearer token"},
		{"User-Agent", got.Header.Get("User-Agent"), ""},
		{"hop-by-hop X-Private", got.Header.Get("X-Private"), ""},
		{"hop-by-hop Proxy-Authorization", got.Header.Get("Proxy-Authorization"), ""},
		{"hop-by-hop Keep-Alive", resp.Header.Get("Keep-Alive"), ""},
		{"status", resp.Status, "418 I'm a teapot"},
		{"Content-Encoding", resp.Header.Get("Content-Encoding"), "gzip"},
		{"trailer", resp.Trailer.Get("X-Sum"), "42"},
		{"answer", string(answer), "answer"},
	} {
		if check.got != check.want {
			t.Errorf("%s: %q, want %q", check.what, check.got, check.want)
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	var mu sync.Mutex
	remotes := map[string]bool{}
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		remotes[r.RemoteAddr] = true
	})
	client := c.httpClient(t)
	for range 10 {
		get(t, client, gitURL)
	}
	if len(remotes) != 1 {
		t.Errorf("%d connections for ten requests", len(remotes))
	}
}

func TestEventStreamArrivesAtOnce(t *testing.T) {
	next := make(chan string)
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for line := range next {
			fmt.Fprintf(w, "data: %s\n", line)
			_ = http.NewResponseController(w).Flush()
		}
	})
	resp := make(chan *http.Response, 1)
	client := c.httpClient(t)
	go func() {
		r, err := client.Get(gitURL)
		if err != nil {
			t.Error(err)
		}
		resp <- r
	}()
	next <- "one" // the header comes with the first event at the latest
	r := <-resp
	if r == nil {
		return
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	for _, want := range []string{"one", "two", "three"} {
		if want != "one" {
			next <- want // only after the one before has arrived
		}
		if !lines.Scan() || lines.Text() != "data: "+want {
			t.Fatalf("got %q, want %s", lines.Text(), want)
		}
	}
	close(next)
}

func TestWebsocketUpgrade(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	})
	conn, reader := c.raw(t, "GET "+gitURL+"/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	for _, message := range []string{"ping\n", "pong\n"} {
		fmt.Fprint(conn, message)
		if got, err := reader.ReadString('\n'); got != message {
			t.Errorf("got %q, %v", got, err)
		}
	}
	c.end() // an upgraded connection must not outlive the network
	if _, err := reader.ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
}

// raw sends a request to the proxy, with the secret, and gives the connection.
func (c *cluster) raw(t *testing.T, text string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	login := "\r\nProxy-Authorization: " + basicAuth(proxyUser, c.secret) + "\r\n"
	return c.stranger(t, strings.Replace(text, "\r\n", login, 1))
}

// stranger sends text to the proxy and gives the connection.
func (c *cluster) stranger(t *testing.T, text string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", c.proxyLn.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn), bufio.NewReader(conn)
}

func TestLargeBodiesBothWays(t *testing.T) {
	const size = 100 << 20
	block := make([]byte, 1<<20)
	_, _ = rand.Read(block)
	body := func() io.Reader {
		return io.LimitReader(&repeat{block: block}, size)
	}
	sum := sha256.New()
	_, _ = io.Copy(sum, body())
	want := fmt.Sprintf("%x", sum.Sum(nil))
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if got := fmt.Sprintf("%x", sum.Sum(nil)); err != nil || n != size || got != want {
			t.Errorf("the server got %d bytes, sum %s, %v", n, got, err)
		}
		_, _ = io.Copy(w, body())
	})
	resp, err := c.httpClient(t).Post(gitURL, "application/octet-stream", body())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum = sha256.New()
	n, err := io.Copy(sum, resp.Body)
	if got := fmt.Sprintf("%x", sum.Sum(nil)); err != nil || n != size || got != want {
		t.Errorf("the client got %d bytes, sum %s, %v", n, got, err)
	}
}

// repeat reads block over and over.
type repeat struct {
	block []byte
	at    int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// A body that breaks off must not look complete to the client.
func TestBrokenAnswerIsBroken(t *testing.T) {
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	resp, err := c.httpClient(t).Get(gitURL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("got %q without an error", data)
	}
}

func TestConnect(t *testing.T) {
	server := httptest.NewTLSServer(says("secret page"))
	t.Cleanup(server.Close)
	c := start(t, long, service("git"), slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, server.Listener.Addr().String())
	client := c.httpClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	if status, body := get(t, client, "https://git.fluxdemo.svc.cluster.local:80/"); body != "secret page" {
		t.Errorf("%d %q", status, body)
	}
	// Go's client, and with it Flux, shows only the status line of a refusal.
	for host, want := range map[string]string{
		"https://github.com/":                             "egress is refused: github.com; `fluxdemo up --allow-egress` opens it",
		"https://[2001:db8::1]/":                          "egress is refused: 2001:db8::1; ",
		"https://git.fluxdemo.svc.cluster.local/":         "has no TCP port 443",
		"https://nobody.fluxdemo.svc.cluster.local:8443/": "there is no Service fluxdemo/nobody",
	} {
		if _, err := client.Get(host); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", host, err, want)
		}
	}
}

// Bytes sent right behind the CONNECT, and an answer after half-close, arrive.
func TestConnectHalfClose(t *testing.T) {
	c := start(t, long, service("git"), slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, echoAtEnd(t))
	conn, reader := c.raw(t, "CONNECT git.fluxdemo.svc.cluster.local:80 HTTP/1.1\r\nHost: x\r\n\r\nearly ")
	resp, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	fmt.Fprint(conn, "late")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(reader); string(got) != "early late" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// echoAtEnd serves TCP: what comes is sent back when the client has ended.
func echoAtEnd(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				data, _ := io.ReadAll(conn)
				_, _ = conn.Write(data)
			}()
		}
	}()
	return listener.Addr().String()
}

// TestGit clones and pushes with the real git, the way Flux and the user do.
func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("git is not installed; `make deps` installs it")
	}
	where, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	cgiPath := filepath.Join(strings.TrimSpace(string(where)), "git-http-backend")
	if _, err := os.Stat(cgiPath); err != nil {
		t.Fatal("git has no http-backend; `make deps` installs git with it")
	}
	root := t.TempDir()
	var output bytes.Buffer
	handler := &cgi.Handler{Path: cgiPath, Stderr: &output, Env: []string{
		"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=demo"}}
	c := one(t, func(w http.ResponseWriter, r *http.Request) {
		_, _, known := r.BasicAuth()
		if !known && strings.Contains(r.URL.String(), "receive-pack") {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if len(r.TransferEncoding) > 0 { // CGI wants a length
			data, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
		}
		handler.ServeHTTP(w, r)
	})
	work := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "http_proxy="+c.ProxyURL(), "no_proxy=", "NO_PROXY=",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s\n%s", args, err, out, output.String())
		}
	}
	big := make([]byte, 3<<20) // more than git sends in one piece
	_, _ = rand.Read(big)
	if err := os.WriteFile(filepath.Join(work, "big"), big, 0o600); err != nil {
		t.Fatal(err)
	}
	withAuth, err := url.Parse(gitURL + "/fleet.git")
	if err != nil {
		t.Fatal(err)
	}
	withAuth.User = url.UserPassword("demo", "pw")
	git("init", "-q", "--bare", "-b", "main", filepath.Join(root, "fleet.git"))
	git("init", "-q", "-b", "main")
	git("add", "big")
	git("commit", "-q", "-m", "first")
	git("push", "-q", withAuth.String(), "main")
	git("clone", "-q", gitURL+"/fleet.git", "copy")
	got, err := os.ReadFile(filepath.Join(work, "copy", "big"))
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("the clone differs: %d bytes, %v", len(got), err)
	}
}
