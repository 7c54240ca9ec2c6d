package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// free returns a port of 127.0.0.1 that nothing has.
func free(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestFindPorts(t *testing.T) {
	t.Parallel() // it waits for ports that stay busy
	busy := taken(t)

	fixed := Settings{Port: busy, FixedPort: true}
	if err := fixed.findPorts(); err == nil || !strings.Contains(err.Error(), "is in use") {
		t.Errorf("a port that the user wants and another program has: got %v", err)
	}

	var noBlock Settings
	if err := noBlock.findPorts(); err == nil || !strings.Contains(err.Error(), "no block of 100 free ports") {
		t.Errorf("without a block: got %v", err)
	}

	var fresh Settings
	claimed(t, &fresh)
	if err := fresh.findPorts(); err != nil {
		t.Fatal(err)
	}
	first := fresh.Block
	if first < firstBlock || fresh.Port != first+1 || fresh.ProxyPort != first+2 || fresh.NodePorts != fmt.Sprintf("%d-%d", first+10, first+99) {
		t.Errorf("a new cluster: got %+v", fresh)
	}

	for name, lost := range map[string]Settings{
		"this version":    {Block: first, Port: busy, ProxyPort: busy, NodePorts: fresh.NodePorts},
		"earlier version": {Port: busy, ProxyPort: busy, NodePorts: "30500-30599"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := lost
			claimed(t, &lost)
			if err := lost.findPorts(); err != nil {
				t.Fatal(err)
			}
			if lost.Port <= lost.Block || lost.ProxyPort <= lost.Block || lost.Port == lost.ProxyPort || max(lost.Port, lost.ProxyPort) >= lost.Block+ownPorts {
				t.Errorf("ports that another program has by now: got %+v", lost)
			}
			if lost.NodePorts != before.NodePorts {
				t.Errorf("node ports changed to %s; URLs have to stay", lost.NodePorts)
			}
		})
	}
}

// claimed claims ports until the test ends.
func claimed(t *testing.T, s *Settings, others ...Settings) (port int) {
	t.Helper()
	listener, err := s.claim(others)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

// TestClaim starts clusters that know nothing of each other, as those of
// several users, at the same moment.
func TestClaim(t *testing.T) {
	t.Parallel() // it waits for a port that stays busy
	clusters := make([]Settings, 8)
	var group sync.WaitGroup
	for i := range clusters {
		group.Go(func() { claimed(t, &clusters[i]) })
	}
	group.Wait()
	blocks := map[int]bool{}
	for _, s := range clusters {
		if s.Block == 0 || blocks[s.Block] {
			t.Errorf("block %d is shared, or none", s.Block)
		}
		blocks[s.Block] = true
	}

	again := Settings{Block: clusters[0].Block, NodePorts: "30010-30099"}
	if port := claimed(t, &again); blocks[again.Block] || port != again.Block || again.NodePorts != "30010-30099" {
		t.Errorf("a cluster that was stopped, while another took its block: it listens on %d, and has %+v", port, again)
	}

	stopped := Settings{Block: firstBlock, Port: firstBlock + blockSize + 1, NodePorts: "30210-30299"}
	var beside Settings
	if claimed(t, &beside, stopped); beside.Block <= 30200 {
		t.Errorf("beside a cluster that is stopped, with %+v: got block %d", stopped, beside.Block)
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
	want := Settings{Port: 1, ProxyPort: 2, NodePorts: "30010-30099", AllowEgress: true, Block: 30000}
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
