// Package conns joins network connections, and tells which ports of this machine are free for them.
package conns

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// silence is how long joined connections may be silent: as long as a
	// kubelet's streams.
	silence = 4 * time.Hour
	// silenceHalf is how long when one side has ended: the other may be the
	// answer, or have forgotten the connection.
	silenceHalf = 5 * time.Minute
)

// Join passes bytes both ways until both sides have ended, one of them broke,
// ctx ends, or nothing has come for a long time. The end of one side is passed
// on and leaves the other direction open: some protocols answer only after it.
// Join closes both.
func Join(ctx context.Context, a, b net.Conn) {
	closeBoth := func() {
		a.Close()
		b.Close()
	}
	defer closeBoth()
	defer context.AfterFunc(ctx, closeBoth)()
	watch := newWatch(closeBoth)
	defer watch.stop()
	pass := func(dst, src net.Conn) {
		if _, err := io.Copy(dst, watched{src, watch}); err != nil {
			closeBoth()
			return
		}
		if half, ok := dst.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
			closeBoth()
		}
		watch.halve()
	}
	other := make(chan struct{})
	go func() {
		defer close(other)
		pass(a, b)
	}()
	pass(b, a)
	<-other
}

// watch ends connections that are silent for too long.
type watch struct {
	end func()

	mu    sync.Mutex
	last  time.Time // when something came
	limit time.Duration
	timer *time.Timer
}

func newWatch(end func()) *watch {
	w := &watch{end: end, last: time.Now(), limit: silence}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(silence, w.look)
	return w
}

// look ends the connections, or looks again when they may have been silent for
// too long.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if left := w.limit - time.Since(w.last); left > 0 {
		w.timer.Reset(left)
		return
	}
	w.end()
}

func (w *watch) touch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
}

// halve notes that one side has ended.
func (w *watch) halve() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last, w.limit = time.Now(), silenceHalf
	w.timer.Reset(silenceHalf)
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

// watched tells its watch of what is read.
type watched struct {
	io.Reader
	watch *watch
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.watch.touch()
	}
	return n, err
}

// Free reports whether nothing listens on a port of 127.0.0.1.
func Free(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	listener.Close()
	return true
}
