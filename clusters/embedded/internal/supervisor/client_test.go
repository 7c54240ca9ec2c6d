package supervisor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
)

// damaged is each way in which a file of JSON is lost: cut at every length,
// and a few more.
func damaged(whole string) []string {
	all := []string{"\x00\x01garbage", strings.Repeat("\x00", len(whole)), "null", "{}", "[]"}
	for cut := range len(strings.TrimSpace(whole)) {
		all = append(all, whole[:cut])
	}
	return all
}

// TestSettingsTorn cuts cluster.json at every length.
func TestSettingsTorn(t *testing.T) {
	dir := t.TempDir()
	s := Settings{Port: 40001, ProxyPort: 40002, NodePorts: "30000-30099", AllowEgress: true, FixedPort: true}
	if err := s.save(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SettingsFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range damaged(string(whole)) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := LoadSettings(dir)
		if err == nil || got != (Settings{}) || !strings.Contains(err.Error(), "`fluxdemo down --name "+filepath.Base(dir)+"` removes the cluster") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %+v, %v", content, got, err)
		}
	}
}

// TestDialTorn cuts control.json at every length: without a supervisor the
// cluster does not run, and with one it is not taken for stopped.
func TestDialTorn(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, controlplane.RunDir), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a file: %v", err)
	}
	path := filepath.Join(dir, controlplane.RunDir, controlFile)
	whole := `{"addr":"127.0.0.1:1","token":"secret"}`
	for _, content := range append(damaged(whole), whole) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
			t.Errorf("%q: %v", content, err)
		}
	}
	release, err := Process(dir).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for _, content := range []string{"", whole[:len(whole)/2], whole} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := dialWithin(t.Context(), dir, 120*time.Millisecond) // enough to look several times
		if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q, while a supervisor runs: %v", content, err)
		}
	}
}

// TestDialHung dials a supervisor that takes the connection and says nothing, as
// one that is stopped does.
func TestDialHung(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, controlplane.RunDir), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	at := fmt.Sprintf(`{"addr":%q,"token":"secret"}`, listener.Addr())
	if err := os.WriteFile(filepath.Join(dir, controlplane.RunDir, controlFile), []byte(at), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := dialWithin(t.Context(), dir, 0); !errors.Is(err, ErrNotRunning) {
		t.Errorf("another program listens there, and no supervisor runs: %v", err)
	}
	release, err := Process(dir).Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, _, err := dialWithin(t.Context(), dir, 0); !errors.Is(err, ErrHung) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("while a supervisor runs: %v", err)
	}
}

// TestProgressHung follows the start of a supervisor that stops saying anything.
func TestProgressHung(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"name":"etcd","state":"running"}`+"\n\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	c := &Client{at: address{Addr: server.Listener.Addr().String()}, quiet: 50 * time.Millisecond}
	var seen []string
	err := c.Progress(t.Context(), func(step Step) { seen = append(seen, step.Name) })
	if !errors.Is(err, ErrHung) || len(seen) != 1 || seen[0] != "etcd" {
		t.Errorf("%v, after the steps %q", err, seen)
	}
}
