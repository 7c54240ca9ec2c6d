//go:build !linux

package reservation

// bind returns ErrUnsupported: elsewhere a socket that does not listen may get
// the port's connections.
func bind(int) (int, error) { return -1, ErrUnsupported }

func closeSocket(int) {}
