package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// await returns when holds does, and fails the test after ten seconds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func TestUnitRestarts(t *testing.T) {
	u := newUnit("sleeper", process.Spec{Path: "/bin/sh", Args: []string{"-c", "echo started; exec sleep 1000"}, Env: []string{"PATH=/usr/bin:/bin"}}, t.TempDir(), func(string, ...any) {})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.run(ctx) }()
	starts := func() int {
		log, err := os.ReadFile(u.logFile)
		if err != nil {
			return 0
		}
		return strings.Count(string(log), "started")
	}
	await(t, "the first start", func() bool { return starts() == 1 })
	first := u.status()

	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the restart", func() bool { return starts() == 2 })
	if now := u.status(); now.Restarts != 1 || now.LastExit != "ended by signal: killed" {
		t.Errorf("got %d restarts, last %q", now.Restarts, now.LastExit)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	u.stop(0)
	if now := u.status(); now.State == "Running" {
		t.Errorf("it runs after stop: %+v", now)
	}
	log, err := os.ReadFile(u.logFile)
	if err != nil || !strings.Contains(string(log), "sleeper ended by signal") {
		t.Errorf("the log: %v\n%s", err, log)
	}
}

// TestUnitThatCannotBeStarted takes the program away from a component that
// runs, ends it, and gives the program back.
func TestUnitThatCannotBeStarted(t *testing.T) {
	t.Parallel() // it waits for back-offs
	dir := t.TempDir()
	program, away := filepath.Join(dir, "program"), filepath.Join(dir, "away")
	if err := os.Symlink("/bin/sh", program); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var logged strings.Builder
	u := newUnit("sleeper", process.Spec{Path: program, Args: []string{"-c", "exec sleep 1000"}, Env: []string{"PATH=/usr/bin:/bin"}}, dir,
		func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(&logged, format+"\n", args...)
		})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.run(ctx) }()
	await(t, "the first start", func() bool { return u.status().State == "Running" })
	if err := os.Rename(program, away); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(u.status().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the failure in the status", func() bool {
		now := u.status()
		return now.State == "Restarting" && now.Restarts >= 3 && strings.Contains(now.LastExit, "no such file")
	})
	mu.Lock()
	if !strings.Contains(logged.String(), "no such file") {
		t.Errorf("the log does not name the failure:\n%s", logged.String())
	}
	mu.Unlock()
	if err := os.Rename(away, program); err != nil {
		t.Fatal(err)
	}
	await(t, "the restart", func() bool { return u.status().State == "Running" })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	u.stop(0)
}

func TestUnitThatKeepsEnding(t *testing.T) {
	t.Parallel() // it waits for back-offs
	u := newUnit("broken", process.Spec{Path: "/bin/sh", Args: []string{"-c", "echo no such flag; exit 1"}}, t.TempDir(), func(string, ...any) {})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = u.run(ctx) }()
	s := &Supervisor{progress: newProgress()}
	err := s.await(ctx, u, func(context.Context) error { return context.DeadlineExceeded })
	if err == nil || err.Error() != "broken: it ended 4 times: exit code 1" {
		t.Errorf("got %v", err)
	}
	if step := failure(err); step.State != StepFailed || step.Log != u.logFile {
		t.Errorf("the failure does not name the log: %+v", step)
	}
}

// TestPortLost ends the API server while another program has its port.
func TestPortLost(t *testing.T) {
	t.Parallel() // it waits for a port that stays busy
	for name, test := range map[string]struct {
		port  int
		state string
	}{
		"another program has it": {taken(t), StateFailed},
		"it is free":             {free(t), stateRestarting},
	} {
		u := newUnit("kube-apiserver", process.Spec{Path: "/bin/sh", Args: []string{"-c", "exit 1"}}, t.TempDir(), func(string, ...any) {})
		u.port = test.port
		s := &Supervisor{progress: newProgress(), api: u, options: Options{Settings: Settings{Port: test.port}, Logf: t.Logf}}
		s.reservePort(test.port)
		t.Cleanup(s.reserved.Release)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = u.run(ctx)
		}()
		var now Component
		await(t, name, func() bool {
			now = s.components()[0]
			return now.Restarts > 0 && now.State == test.state
		})
		if says := fmt.Sprintf("another program has its port %d; `fluxdemo up`", test.port); strings.Contains(now.LastExit, says) != (test.state == StateFailed) {
			t.Errorf("%s: it says %q", name, now.LastExit)
		}
		cancel()
		<-done
	}
}

// TestNewPortIsTold chooses another port than that of last time.
func TestNewPortIsTold(t *testing.T) {
	s := &Supervisor{progress: newProgress(), options: Options{Settings: Settings{Port: free(t)}, Logf: t.Logf}}
	for before, told := range map[int]bool{0: false, s.options.Port: false, 30001: true} {
		s.progress = newProgress()
		s.reservePort(before)
		s.reserved.Release()
		if steps, _, _ := s.progress.from(0); (len(steps) > 0) != told || told && !strings.Contains(steps[0].Name, "another program has 30001") {
			t.Errorf("before it was %d: %+v", before, steps)
		}
	}
}

func TestProgressIsToldFromTheBeginning(t *testing.T) {
	p := newProgress()
	p.add(Step{Name: "etcd", State: StepRunning})
	steps, ended, more := p.from(0)
	if len(steps) != 1 || ended {
		t.Fatalf("got %+v, %v", steps, ended)
	}
	go p.add(Step{State: StepDone})
	<-more
	if steps, ended, _ = p.from(1); len(steps) != 1 || !ended {
		t.Errorf("got %+v, %v", steps, ended)
	}
	p.add(Step{Name: "late", State: StepRunning})
	if steps, _, _ = p.from(0); len(steps) != 2 {
		t.Errorf("news after the end: %+v", steps)
	}
}
