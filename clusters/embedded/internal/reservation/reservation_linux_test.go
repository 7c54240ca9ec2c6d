package reservation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shared listens as kube-apiserver does with --permit-port-sharing.
func shared(port int) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	return config.Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

func isRefused(port int) bool {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// TestTake restarts a program on a reserved port again and again, with
// connections, while another one tries to get the port.
func TestTake(t *testing.T) {
	t.Parallel() // it waits for another try
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := other.Addr().(*net.TCPAddr).Port
	late, err := Take(port)
	if !errors.Is(err, syscall.EADDRINUSE) || late.Held() {
		t.Errorf("a port that another program has: %v", err)
	}
	other.Close()
	for deadline := time.After(4 * retry); !late.Held(); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("the port is not reserved though it is free")
		}
	}
	late.Release()
	reserved, err := Take(port)
	if err != nil || !reserved.Held() {
		t.Fatal(err)
	}
	for round := range 5 {
		if thief, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			t.Fatalf("round %d: another program got %s", round, thief.Addr())
		}
		if !isRefused(port) {
			t.Errorf("round %d: a connection is not refused while no program listens", round)
		}
		listener, err := shared(port)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for range 20 { // they leave what hinders those who listen next
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			accepted, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			accepted.Close()
			conn.Close()
		}
		if round == 2 { // the reservation begins anew, as with a new supervisor
			reserved.Release()
			if reserved, err = Take(port); err != nil {
				t.Errorf("a port that its program has: %v", err)
			}
		}
		listener.Close()
	}
	reserved.Release()
	reserved.Release()
	reserved, err = Take(port) // after a crash of both
	if err != nil {
		t.Fatal(err)
	}
	reserved.Release()
	if other, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
		t.Fatalf("a port that was given back: %v", err)
	}
	other.Close()
}
