package supervisor

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// taken holds a port of 127.0.0.1 until the test ends.
func taken(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func TestFindPorts(t *testing.T) {
	busy := taken(t)

	fixed := Settings{Port: busy, FixedPort: true}
	if err := fixed.findPorts(nil); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a port that the user wants and somebody has: got %v", err)
	}

	moved := Settings{Port: busy, ProxyPort: busy, NodePorts: "30500-30599"}
	if err := moved.findPorts(nil); err != nil {
		t.Fatal(err)
	}
	if moved.Port == busy || moved.ProxyPort == busy || moved.Port == 0 || moved.ProxyPort == 0 {
		t.Errorf("ports that somebody else has by now: got %d and %d, had %d", moved.Port, moved.ProxyPort, busy)
	}
	if moved.NodePorts != "30500-30599" {
		t.Errorf("node ports changed to %s; URLs have to stay", moved.NodePorts)
	}

	var first, second Settings
	if err := first.findPorts(nil); err != nil {
		t.Fatal(err)
	}
	if err := second.findPorts([]Settings{first}); err != nil {
		t.Fatal(err)
	}
	if first.NodePorts == second.NodePorts {
		t.Errorf("two clusters share the node ports %s", first.NodePorts)
	}
}

func TestSettings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSettings(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a cluster that was never started: got %v", err)
	}
	want := Settings{Port: 1, ProxyPort: 2, NodePorts: "30000-30099", AllowEgress: true}
	if err := want.save(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSettings(dir); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if others := otherSettings(filepath.Join(filepath.Dir(dir), "b")); len(others) != 1 || others[0] != want {
		t.Errorf("the others of b: got %+v", others)
	}
	if others := otherSettings(dir); len(others) != 0 {
		t.Errorf("a is not one of its others: got %+v", others)
	}
	if err := os.WriteFile(filepath.Join(dir, SettingsFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSettings(dir); err == nil || !strings.Contains(err.Error(), "fluxdemo down") {
		t.Errorf("damaged: got %v, want what to do", err)
	}
}
