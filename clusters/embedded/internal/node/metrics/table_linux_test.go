package metrics

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	realprocess "github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// TestLikePS measures a process that works in a child, and compares that with
// what ps and the process itself say.
func TestLikePS(t *testing.T) {
	lines := make(chan string, 16)
	p, err := realprocess.Start(realprocess.Spec{
		Path: "/bin/sh", Output: toLines(lines), Env: []string{"PATH=/usr/bin:/bin"},
		// The child works for a second of CPU time, is waited for, and then the parent goes on alone.
		Args: []string{"-c", `sh -c 'i=0; while test $i -lt 400000; do i=$((i+1)); done; echo worked; read x </dev/zero'; echo; sleep 1000`},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop(0)
	s := New(func() []Pod { return []Pod{{UID: "1", Containers: []Container{{Name: "main", Main: p.Pid()}}}} })
	s.sample()
	began := time.Now()
	select {
	case <-lines:
	case <-time.After(time.Minute):
		t.Fatal("it does not work")
	}
	s.sample()
	took := time.Since(began).Seconds()
	u := only(t, s).Usages[0]
	// A child that reads a device without an end goes on working.
	if u.Cores <= 0.05 || u.Cores > 1.2 || u.Seconds > took+1 {
		t.Errorf("%.2f cores, %.2f s of CPU time in %.2f s", u.Cores, u.Seconds, took)
	}
	var memory, seconds int64
	out, err := exec.Command("ps", "-o", "rss=,cputimes=", "-s", fmt.Sprint(p.Pid())).Output() // the session: both processes
	if err != nil {
		t.Fatalf("running ps, which hack/deps.sh installs: %v", err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		var rss, cpu int64
		if _, err := fmt.Sscan(line, &rss, &cpu); err != nil {
			t.Fatalf("ps says %q", out)
		}
		memory, seconds = memory+rss<<10, seconds+cpu
	}
	if u.Memory < memory*8/10 || u.Memory > memory*12/10 {
		t.Errorf("memory: %d bytes, ps says %d", u.Memory, memory)
	}
	if u.Seconds < float64(seconds)-1.5 || u.Seconds > float64(seconds)+2.5 {
		t.Errorf("CPU time: %.2f s, ps says %d", u.Seconds, seconds)
	}
}

// toLines sends what is written, when it is.
type toLines chan string

func (l toLines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func TestReadTable(t *testing.T) {
	read, err := readTable()
	if err != nil {
		t.Fatal(err)
	}
	if len(read.processes) < 2 || read.cpu <= 0 || read.memory < 1<<20 {
		t.Errorf("%d processes, %.0f s, %d bytes", len(read.processes), read.cpu, read.memory)
	}
}
