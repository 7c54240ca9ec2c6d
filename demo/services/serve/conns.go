package serve

import (
	"net"
	"net/http"
	"sync"
)

// conns knows the connections of a server. If there are too many, it closes the oldest one that has no request: a
// connection without one is cheap to open, and must not keep a probe out.
type conns struct {
	most int

	mu      sync.Mutex
	all     map[net.Conn]bool // whether it has a request
	waiting []net.Conn        // those without, the oldest first
}

func newConns(most int) *conns { return &conns{most: most, all: map[net.Conn]bool{}} }

// track is for http.Server.ConnState.
func (s *conns) track(c net.Conn, state http.ConnState) {
	if old := s.change(c, state); old != nil {
		_ = old.Close() // its client notices
	}
}

// change notes a connection's new state, and returns one to close, or nil.
func (s *conns) change(c net.Conn, state http.ConnState) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
	switch state {
	case http.StateActive:
		s.all[c] = true
	case http.StateNew, http.StateIdle:
		s.all[c] = false
		s.waiting = append(s.waiting, c)
	default: // closed, or taken over by its handler
		return nil
	}
	if len(s.all) <= s.most || len(s.waiting) == 0 {
		return nil
	}
	old := s.waiting[0]
	s.forget(old)
	return old
}

func (s *conns) forget(c net.Conn) {
	if busy, known := s.all[c]; known && !busy {
		for i, w := range s.waiting {
			if w == c {
				s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
				break
			}
		}
	}
	delete(s.all, c)
}
