package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

// runs says whether a process has not ended. One that nobody has waited for
// has.
func runs(pid int) bool {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return false
	}
	stat, err := p.Stat()
	return err == nil && stat.State != "Z"
}

// jobs starts a process that starts two: one in a group and one in a session
// of its own. It ends when the file "end" is there.
func jobs(t *testing.T, mark string) (p *Process, dir string, group, session int) {
	t.Helper()
	dir = t.TempDir()
	script := `set -m; sleep 1000 & echo $! >group; set +m
		setsid sh -c 'echo $$ >session; exec sleep 1000' &
		until test -e end; do sleep 0.02; done`
	p, err := Start(Spec{
		Path: "/bin/bash", Args: []string{"-c", script}, Dir: dir, Output: &bytes.Buffer{},
		Env: []string{"PATH=/usr/bin:/bin", "MARK=" + mark},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(0) })
	t.Cleanup(func() { EndMarked("MARK", mark) })
	return p, dir, number(t, filepath.Join(dir, "group")), number(t, filepath.Join(dir, "session"))
}

func number(t *testing.T, file string) int {
	t.Helper()
	for late := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(file)
		if pid, bad := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil && bad == nil && runs(pid) {
			return pid
		}
		if time.Now().After(late) {
			t.Fatalf("%s: %q, %v", file, raw, err)
		}
	}
}

func TestEndRest(t *testing.T) {
	p, dir, group, session := jobs(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.EndRest()
	if runs(group) {
		t.Errorf("process %d, a job of another group, still runs", group)
	}
	if !runs(session) {
		t.Errorf("process %d of another session was killed", session)
	}
}

func TestStopEndsSession(t *testing.T) {
	p, _, group, _ := jobs(t, t.TempDir())
	p.Stop(0)
	if runs(group) {
		t.Errorf("process %d, a job of another group, still runs", group)
	}
}

func TestEndMarked(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "a")
	p, _, group, session := jobs(t, filepath.Join(mark, "b"))
	for name, value := range map[string]string{"MARK": mark + "a", "OTHER": mark} {
		if n := EndMarked(name, value); n != 0 {
			t.Fatalf("%d processes are killed that are not meant", n)
		}
	}
	if n := EndMarked("MARK", mark); n < 3 {
		t.Errorf("%d processes are killed, want at least 3", n)
	}
	if runs(p.Pid()) || runs(group) || runs(session) {
		t.Error("a process still runs")
	}
}
