// Package limit bounds how many connections listeners hold at the same time.
// Nobody who opens connections and leaves them keeps others out: at the bound,
// the connection goes that has been silent for longest.
package limit

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Pool bounds the connections of the listeners that share it. Make it with New.
type Pool struct {
	total, each int

	mu    sync.Mutex
	conns map[string]map[*Conn]struct{} // by the name of the listener
	count int
}

// New returns a Pool for total connections, and no more than each of one
// listener.
func New(total, each int) *Pool {
	return &Pool{total: total, each: each, conns: map[string]map[*Conn]struct{}{}}
}

// Listener returns inner with the pool's bounds. Its name is what the bound for
// each counts by.
func (p *Pool) Listener(name string, inner net.Listener) net.Listener {
	return &listener{inner, name, p}
}

type listener struct {
	net.Listener
	name string
	pool *Pool
}

// Accept accepts a connection. It makes room for it.
func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &Conn{Conn: inner, name: l.name, pool: l.pool}
	conn.touch()
	if loser := l.pool.add(conn); loser != nil {
		_ = loser.Close() // its place is taken, whatever the answer
	}
	return conn, nil
}

// add takes a connection in, and returns the one to close for it, if any.
func (p *Pool) add(conn *Conn) (loser *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.conns[conn.name]) >= p.each:
		loser = least(p.conns[conn.name])
	case p.count >= p.total:
		loser = least(p.largestLocked())
	}
	if loser != nil {
		p.removeLocked(loser)
	}
	if p.conns[conn.name] == nil {
		p.conns[conn.name] = map[*Conn]struct{}{}
	}
	p.conns[conn.name][conn] = struct{}{}
	p.count++
	return loser
}

// largestLocked returns the connections of the listener that has most: it pays
// for what there is too much of, so that it cannot starve the others.
func (p *Pool) largestLocked() (most map[*Conn]struct{}) {
	for _, conns := range p.conns {
		if len(conns) > len(most) {
			most = conns
		}
	}
	return most
}

func (p *Pool) removeLocked(conn *Conn) {
	conns := p.conns[conn.name]
	if _, there := conns[conn]; !there {
		return
	}
	p.count--
	if delete(conns, conn); len(conns) == 0 {
		delete(p.conns, conn.name)
	}
}

// least returns the connection to close first: one whose client has not proved
// who it is, and of these the one that has been silent for longest.
func least(conns map[*Conn]struct{}) (least *Conn) {
	for conn := range conns {
		if least == nil || conn.before(least) {
			least = conn
		}
	}
	return least
}

// Conn is a connection of a Pool.
type Conn struct {
	net.Conn
	name   string
	pool   *Pool
	used   atomic.Int64
	proven atomic.Bool
}

func (c *Conn) before(other *Conn) bool {
	if a, b := c.proven.Load(), other.proven.Load(); a != b {
		return b
	}
	return c.used.Load() < other.used.Load()
}

func (c *Conn) touch() { c.used.Store(time.Now().UnixNano()) }

// Read reads from the client, which counts as a sign of life.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

// Write writes to the client. That it takes what is written is a sign of life.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.touch()
	}
	return n, err
}

// CloseWrite ends one direction, or both if the connection cannot.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// Close closes the connection and leaves its place to another one.
func (c *Conn) Close() error {
	c.pool.mu.Lock()
	c.pool.removeLocked(c)
	c.pool.mu.Unlock()
	return c.Conn.Close()
}

type key struct{}

// Context is an http.Server's ConnContext. Proven needs it.
func Context(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return context.WithValue(ctx, key{}, conn)
}

// Prove notes that a request's client has proved who it is: it has shown a
// secret or a certificate. Its connection stays as long as there are others to
// close.
func Prove(r *http.Request) {
	if conn, ok := r.Context().Value(key{}).(*Conn); ok {
		conn.proven.Store(true)
	}
}

// Proven serves requests whose clients have proved who they are by getting to
// it: the server asks for certificates, for example.
func Proven(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		Prove(r)
		next.ServeHTTP(w, r)
	})
}

// Ports returns the Pool for the ports of Services. A browser needs six
// connections to a page, and one for each stream of events.
func Ports() *Pool { return New(768, 256) }
