package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
)

// suite is what all tests have in common: the program under test, built once
// as users get it, and clusters for the tests that leave them well.
type suite struct {
	root    string // holds everything below; anybody may read it
	program string // root/bin/fluxdemo
	git     string

	queue *queue

	mu      sync.Mutex
	demos   []*testDemo
	idle    []*testDemo // shared clusters that are up and well, and that no test uses
	shared  int         // how many there have been
	noShare error       // why one does not come up
}

// all is set once by TestMain, which is the only way to hand something to
// every test.
var all *suite

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withSuite(m.Run)
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// withSuite builds the program, runs the tests and leaves nothing behind,
// also when a test has failed, the time is over or somebody pressed Ctrl-C.
func withSuite(run func() int) (code int, err error) {
	root, err := os.MkdirTemp("", "fluxdemo-test-")
	if err != nil {
		return 1, err
	}
	if err := os.Chmod(root, 0o755); err != nil { // some tests run as another user
		return 1, err
	}
	all = &suite{root: root, program: filepath.Join(root, "bin", "fluxdemo"), queue: newQueue(places())}
	// The queue has the say: it has to know of all tests to begin with the longest.
	if err := flag.Set("test.parallel", "1000"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, all.close()) }()
	stop := all.closeOnEnd()
	defer stop()
	if all.git, err = exec.LookPath("git"); err != nil {
		return 1, fmt.Errorf("the tests push with git: %w; install it with hack/deps.sh", err)
	}
	// As the Makefile builds it, so that nothing is compiled twice.
	build := exec.Command("go", "build", "-trimpath", "-o", all.program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building fluxdemo: %w\n%s", err, out)
	}
	return run(), nil
}

// places is how many tests use clusters at a time: mostly they wait. On kind it is one: a test
// restarts the engine that all of them run in.
func places() int {
	if os.Getenv(nodeImageVar) != "" {
		return 1
	}
	return runtime.NumCPU() + 1
}

// closeOnEnd cleans up when the test binary would end without coming back to
// TestMain: by a signal, or shortly before -timeout makes it panic.
func (s *suite) closeOnEnd() (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var late <-chan time.Time
	if f := flag.Lookup("test.timeout"); f != nil {
		if limit, ok := f.Value.(flag.Getter).Get().(time.Duration); ok && limit > time.Minute {
			late = time.After(limit - 20*time.Second)
		}
	}
	go func() {
		select {
		case <-signals:
			_ = s.close() // it ends in failure already
			os.Exit(1)
		case <-late:
			fmt.Fprintln(os.Stderr, "the tests are about to time out: removing their clusters")
			_ = s.close() // the panic that follows says more
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// close removes all clusters and folders.
func (s *suite) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, d := range s.demos {
		errs = append(errs, d.remove())
	}
	s.demos = nil
	return errors.Join(append(errs, os.RemoveAll(s.root))...)
}

// needsBundle skips a test when only quick ones are wanted, and fails it when
// there is nothing to run a cluster from.
func needsBundle(t *testing.T) *bundle.Bundle {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a cluster")
	}
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	dir := os.Getenv(bundle.EnvVar)
	if dir == "" {
		dir = filepath.Join("..", "..", "build", "bundle")
	}
	b, err := bundle.Find(dir)
	if err != nil {
		t.Fatalf("the cluster tests run a real cluster: %v", err)
	}
	return b
}

// sharedDemo returns a cluster for a test that leaves it as it found it. No
// other test uses it at the same time, and none after one that has failed.
func sharedDemo(t *testing.T) *testDemo {
	t.Helper()
	return sharedWith(t, false)
}

// quietDemo is a sharedDemo for a test that needs the machine for itself.
func quietDemo(t *testing.T) *testDemo {
	t.Helper()
	return sharedWith(t, true)
}

func sharedWith(t *testing.T, alone bool) *testDemo {
	t.Helper()
	b := needsBundle(t)
	all.queue.enter(t, alone)
	d, err := all.takeShared(b)
	if err != nil {
		t.Fatalf("the cluster that most tests share does not come up: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			if err := d.remove(); err != nil {
				t.Error(err)
			}
			return
		}
		all.mu.Lock()
		defer all.mu.Unlock()
		all.idle = append(all.idle, d)
	})
	d.logsOnFailure(t)
	return d
}

// takeShared returns a shared cluster that no test uses, or a new one.
func (s *suite) takeShared(b *bundle.Bundle) (*testDemo, error) {
	s.mu.Lock()
	if s.noShare != nil {
		defer s.mu.Unlock()
		return nil, s.noShare
	}
	if last := len(s.idle) - 1; last >= 0 {
		d := s.idle[last]
		s.idle = s.idle[:last]
		s.mu.Unlock()
		return d, nil
	}
	s.shared++
	name := fmt.Sprintf("shared-%d", s.shared)
	s.mu.Unlock()
	d, err := s.newDemo(name, b)
	if err == nil {
		err = d.start()
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.noShare = err // the others need not try
	}
	return d, err
}

// ownDemo returns a home for a cluster of the test's own, which is not up.
func ownDemo(t *testing.T, options ...func(*testDemo)) *testDemo {
	t.Helper()
	b := needsBundle(t)
	all.queue.enter(t, false)
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	d, err := all.newDemo(name, b, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.remove(); err != nil {
			t.Error(err)
		}
	})
	d.logsOnFailure(t)
	return d
}
