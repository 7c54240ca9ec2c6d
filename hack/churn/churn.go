// Package churn is the worst neighbour that a program can have: it opens and
// closes connections and listeners on 127.0.0.1 as fast as it can, each on
// whatever port the system gives it.
package churn

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Count is what has been opened and closed.
type Count struct{ Connections, Listeners int64 }

// at once: connections are slow to close, listeners are not.
const connecting, listening = 8, 2

// refused is the wait after the system had no port left.
const refused = time.Millisecond

// Start begins. It goes on until the function that it returns is called, which
// returns when all is closed; called again it returns the same.
func Start() (stop func() Count) {
	var connections, listeners atomic.Int64
	var group sync.WaitGroup
	ended := make(chan struct{})
	forever := func(count *atomic.Int64, do func() error) {
		group.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if do() == nil {
					count.Add(1)
				} else {
					time.Sleep(refused)
				}
			}
		})
	}
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		group.Go(func() {
			for {
				conn, err := target.Accept()
				if err != nil {
					return
				}
				conn.Close()
			}
		})
		for range connecting {
			forever(&connections, func() error {
				conn, err := net.Dial("tcp", target.Addr().String())
				if err != nil {
					return err
				}
				return conn.Close()
			})
		}
	}
	for range listening {
		forever(&listeners, func() error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			return listener.Close()
		})
	}
	end := sync.OnceFunc(func() {
		close(ended)
		if target != nil {
			target.Close()
		}
		group.Wait()
	})
	return func() Count {
		end()
		return Count{connections.Load(), listeners.Load()}
	}
}
