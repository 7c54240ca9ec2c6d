// Package reservation keeps a port of 127.0.0.1 from other programs while the
// one that it is for is not running. It works with programs that listen with
// SO_REUSEPORT, on Linux.
package reservation

import (
	"errors"
	"sync"
	"time"
)

// ErrUnsupported is returned by Take where ports cannot be reserved.
var ErrUnsupported = errors.New("ports cannot be reserved on this system")

// retry is when a port that could not be had is tried again: what the kernel
// remembers of a program's connections after its end is gone in a minute.
const retry = 5 * time.Second

// Port is a reserved port. Nothing that connects to it is answered by the
// reservation: the connection is refused until the program listens.
type Port struct {
	mu       sync.Mutex
	fd       int // -1 if it is not reserved
	released chan struct{}
	once     sync.Once
}

// Take reserves a port, until Release or the end of this process. The port may
// be in use already by a program of this user that listens with SO_REUSEPORT.
// If something else has it, Take returns an error beside the Port, and tries
// again until Release. On systems other than Linux the error is ErrUnsupported.
func Take(port int) (*Port, error) {
	p := &Port{fd: -1, released: make(chan struct{})}
	err := p.try(port)
	if err != nil && !errors.Is(err, ErrUnsupported) {
		go p.keepTrying(port)
	}
	return p, err
}

// Held reports whether the port is reserved by now.
func (p *Port) Held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fd >= 0
}

// Release gives the port back.
func (p *Port) Release() {
	p.once.Do(func() { close(p.released) })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd >= 0 {
		closeSocket(p.fd)
		p.fd = -1
	}
}

func (p *Port) try(port int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.released:
		return nil
	default:
	}
	fd, err := bind(port)
	if err == nil {
		p.fd = fd
	}
	return err
}

func (p *Port) keepTrying(port int) {
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for {
		select {
		case <-p.released:
			return
		case <-tick.C:
			if p.try(port) == nil {
				return
			}
		}
	}
}
