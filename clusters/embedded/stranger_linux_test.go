package embedded

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestStranger(t *testing.T) {
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	for address, listens := range map[string]bool{"127.0.0.1:0": true, "0.0.0.0:0": true, "[::]:0": true, "127.0.0.2:0": false, "closed": false} {
		t.Run(address, func(t *testing.T) {
			listener, err := net.Listen("tcp", strings.Replace(address, "closed", "127.0.0.1:0", 1))
			if err != nil {
				t.Skip(err) // no IPv6
			}
			defer listener.Close()
			if address == "closed" {
				listener.Close()
			}
			port := int32(listener.Addr().(*net.TCPAddr).Port)
			for name, test := range map[string]struct {
				pid  int
				want bool
			}{
				"the supervisor has it":    {os.Getpid(), false},
				"another process has it":   {other.Process.Pid, listens},
				"there is no supervisor":   {0, listens},
				"the supervisor has ended": {1 << 22, listens},
			} {
				if got := stranger(port, test.pid); got != test.want {
					t.Errorf("%s: %v, want %v", name, got, test.want)
				}
			}
		})
	}
}

func TestURLOfStranger(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := int32(listener.Addr().(*net.TCPAddr).Port)
	c := &Cluster{dir: t.TempDir()}
	if url, err := c.URL(t.Context(), port); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("got %q, %v for a port that another program has", url, err)
	}
	listener.Close()
	if url, err := c.URL(t.Context(), port); err != nil || !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("got %q, %v", url, err)
	}
}
