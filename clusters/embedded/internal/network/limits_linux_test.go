package network

import (
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestHalfRequests has strangers hold half a request on more connections than
// the ports take. The pods and the node port still answer, and nothing is left
// once the strangers have gone.
func TestHalfRequests(t *testing.T) {
	number, addr := freePort(t)
	c := start(t, long, service("git", nodePortNumber(number)), slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, backend(t, says("page")))
	pod := c.httpClient(t)
	direct := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	ask := func() {
		t.Helper()
		for address, client := range map[string]*http.Client{gitURL: pod, "http://" + addr: direct} {
			if status, body := get(t, client, address+"/"); status != 200 || body != "page" {
				t.Fatalf("%s: %d %q", address, status, body)
			}
		}
	}
	eventually(t, "the node port is open", func() bool { return !isClosed(addr)() })
	ask()
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	var strangers []net.Conn
	hold := func(addr, text string) {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		strangers = append(strangers, conn)
		_, _ = io.WriteString(conn, text) // it may be closed already
	}
	for range maxConns + 100 {
		hold(c.proxyLn.Addr().String(), "GET http://half")
		hold(addr, "GET /half")
	}
	ask()
	for _, conn := range strangers {
		conn.Close()
	}
	const slack = 12 // connections that are kept for reuse, and their goroutines
	eventually(t, "nothing is left", func() bool {
		return openFiles(t) <= files+slack && runtime.NumGoroutine() <= goroutines+slack
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestSocketsAreClosedToOthers looks at the socket and at its folder.
func TestSocketsAreClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := listenSocket(dir + "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for path, want := range map[string]os.FileMode{dir: 0o700, dir + "/s": 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %o", path, info, err, want)
		}
	}
}
