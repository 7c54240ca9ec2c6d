package reservation

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// bind returns a socket that has the port and does not listen: it gets no
// connections. Linux lets another socket have the port only if both have
// SO_REUSEPORT and are the same user's, or both have SO_REUSEADDR, which this
// one must not.
func bind(port int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("reserving port %d: %w", port, err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		closeSocket(fd)
		return -1, fmt.Errorf("reserving port %d: %w", port, err)
	}
	return fd, nil
}

func closeSocket(fd int) { unix.Close(fd) }
