// Package conns joins network connections, and tells which ports of this machine are free for them.
package conns

import (
	"context"
	"fmt"
	"io"
	"net"
)

// Join passes bytes both ways until both sides have ended, one of them broke,
// or ctx ends. The end of one side is passed on and leaves the other direction
// open: some protocols answer only after it. Join closes both.
func Join(ctx context.Context, a, b net.Conn) {
	closeBoth := func() {
		a.Close()
		b.Close()
	}
	defer closeBoth()
	defer context.AfterFunc(ctx, closeBoth)()
	pass := func(dst, src net.Conn) {
		if _, err := io.Copy(dst, src); err != nil {
			closeBoth()
			return
		}
		if half, ok := dst.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
			closeBoth()
		}
	}
	other := make(chan struct{})
	go func() {
		defer close(other)
		pass(a, b)
	}()
	pass(b, a)
	<-other
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
