package limit

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// door is a listener of a pool, with the connections that it has accepted.
type door struct {
	t     *testing.T
	ln    net.Listener
	conns []net.Conn // the clients' ends
	inner []*Conn
}

func open(t *testing.T, p *Pool, name string) *door {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &door{t: t, ln: p.Listener(name, ln)}
}

// come opens a connection as a client.
func (d *door) come() {
	d.t.Helper()
	conn, err := net.Dial("tcp", d.ln.Addr().String())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	inner, err := d.ln.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { inner.Close() })
	at := inner.(*Conn)
	at.used.Store(int64(len(d.conns))) // the order of their last signs of life
	d.conns, d.inner = append(d.conns, conn), append(d.inner, at)
}

// closed tells which clients have lost their connection.
func (d *door) closed() string {
	var lost []string
	for i, conn := range d.inner {
		d.inner[i].pool.mu.Lock()
		_, there := conn.pool.conns[conn.name][conn]
		d.inner[i].pool.mu.Unlock()
		if there {
			continue
		}
		lost = append(lost, fmt.Sprint(i))
		_ = d.conns[i].SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := d.conns[i].Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			d.t.Errorf("connection %d has lost its place and is open: %v", i, err)
		}
	}
	return strings.Join(lost, " ")
}

func TestWhoGoes(t *testing.T) {
	for name, test := range map[string]struct {
		before func(d *door)
		come   int
		want   string
	}{
		"room":        {func(*door) {}, 0, ""},
		"the oldest":  {func(*door) {}, 2, "0 1"},
		"the silent":  {func(d *door) { d.inner[0].touch() }, 1, "1"},
		"the unknown": {func(d *door) { d.inner[0].proven.Store(true) }, 1, "1"},
		"a known, at all": {func(d *door) {
			d.inner[0].proven.Store(true)
			d.inner[1].proven.Store(true)
			d.inner[2].proven.Store(true)
		}, 1, "0"},
		"nobody twice": {func(d *door) { d.inner[1].Close(); d.inner[1].Close() }, 2, "0 1"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, New(100, 3), "a")
			for range 3 {
				d.come()
			}
			test.before(d)
			for range test.come {
				d.come()
			}
			if got := d.closed(); got != test.want {
				t.Errorf("closed %q, want %q", got, test.want)
			}
		})
	}
}

func TestOneDoesNotStarveOthers(t *testing.T) {
	p := New(5, 4)
	small, large := open(t, p, "small"), open(t, p, "large")
	small.come()
	for range 4 {
		large.come()
	}
	small.come()
	if lost := small.closed(); lost != "" {
		t.Errorf("the small one has lost %s", lost)
	}
	if lost := large.closed(); lost != "0" {
		t.Errorf("the large one has lost %q", lost)
	}
}

func TestNothingIsLeft(t *testing.T) {
	p := New(20, 10)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		ConnContext: Context,
		Handler:     Proven(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })),
	}
	ended := make(chan error)
	go func() { ended <- server.Serve(p.Listener("a", ln)) }()
	for i := range 300 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		text := "GET / HTTP/1.1\r\n" // half a request
		if i%3 == 0 {
			text += "Host: a\r\n\r\n"
		}
		if i%3 == 1 {
			conn.Close()
			continue
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		if p.count > 10 || len(p.conns["a"]) != p.count {
			t.Errorf("%d connections, %d counted", len(p.conns["a"]), p.count)
		}
		p.mu.Unlock()
	}
	response, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatalf("newcomers are kept out: %v", err)
	}
	response.Body.Close()
	server.Close()
	<-ended
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count != 0 || len(p.conns) != 0 {
		t.Errorf("%d connections are left: %v", p.count, p.conns)
	}
}
