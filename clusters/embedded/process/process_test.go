package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func shell(t *testing.T, script string, out *bytes.Buffer) *Process {
	t.Helper()
	p, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin", "WHO=world"}, Output: out})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	return p
}

func TestExit(t *testing.T) {
	tests := map[string]struct {
		script string
		code   int
		text   string
	}{
		"ok":     {"exit 0", 0, "exit code 0"},
		"failed": {"exit 3", 3, "exit code 3"},
		"killed": {"kill -KILL $$", 137, "ended by signal: killed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			exit := shell(t, test.script, &bytes.Buffer{}).Exit()
			if exit.Code != test.code || exit.String() != test.text {
				t.Errorf("got %d, %q; want %d, %q", exit.Code, exit, test.code, test.text)
			}
		})
	}
}

func TestOutputAndEnvironment(t *testing.T) {
	t.Setenv("SECRET", "inherited")
	var out bytes.Buffer
	shell(t, `echo "hello $WHO$SECRET"; echo error >&2`, &out).Exit()
	if got := out.String(); got != "hello world\nerror\n" {
		t.Errorf("got %q", got)
	}
}

func TestStop(t *testing.T) {
	var out notify
	out.line = make(chan struct{}, 1)
	p, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", `trap '' TERM; echo ready; while :; do read x </dev/zero; done`}, Env: []string{"PATH=/usr/bin:/bin"}, Output: &out})
	if err != nil {
		t.Fatal(err)
	}
	<-out.line
	if exit := p.Stop(50 * time.Millisecond); exit.Code != 137 {
		t.Errorf("a process that ignores SIGTERM: got %v, want it killed", exit)
	}
	if exit := p.Stop(time.Second); exit.Code != 137 {
		t.Errorf("a second stop changed the exit to %v", exit)
	}
}

// notify tells that something was written.
type notify struct{ line chan struct{} }

func (n *notify) Write(p []byte) (int, error) {
	select {
	case n.line <- struct{}{}:
	default:
	}
	return len(p), nil
}

func TestStartMissing(t *testing.T) {
	if _, err := Start(Spec{Path: "/no/such/program"}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("got %v, want an error that names the program", err)
	}
}

func TestLogRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	log, err := OpenLog(path, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"first 11\n", "second 2\n", "third 33\n", "fourth 4\n"} {
		if n, err := log.Write([]byte(line)); n != len(line) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	log.Close()
	for name, want := range map[string]string{"x.log": "fourth 4\n", "x.log.1": "third 33\n", "x.log.2": "second 2\n"} {
		got, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("more old files than were to be kept")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}
