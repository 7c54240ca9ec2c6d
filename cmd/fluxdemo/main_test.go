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
// as users get it, and one cluster for the tests that leave it well.
type suite struct {
	root    string // holds everything below; anybody may read it
	program string // root/bin/fluxdemo
	git     string

	mu    sync.Mutex
	demos []*testDemo
	first sync.Once
	one   *testDemo
	oneUp error
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
	all = &suite{root: root, program: filepath.Join(root, "bin", "fluxdemo")}
	defer func() { err = errors.Join(err, all.close()) }()
	stop := all.closeOnEnd()
	defer stop()
	if all.git, err = exec.LookPath("git"); err != nil {
		return 1, fmt.Errorf("the tests push with git: %w; install it with hack/deps.sh", err)
	}
	build := exec.Command("go", "build", "-o", all.program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building fluxdemo: %w\n%s", err, out)
	}
	return run(), nil
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

// sharedDemo returns the cluster for the tests that leave it as they found
// it. The first one to ask brings it up.
func sharedDemo(t *testing.T) *testDemo {
	t.Helper()
	b := needsBundle(t)
	all.first.Do(func() {
		all.one, all.oneUp = all.newDemo("shared", b)
		if all.oneUp == nil {
			all.oneUp = all.one.start()
		}
	})
	if all.oneUp != nil {
		t.Fatalf("the cluster that most tests share does not come up: %v", all.oneUp)
	}
	all.one.logsOnFailure(t)
	return all.one
}

// ownDemo returns a home for a cluster of the test's own, which is not up.
func ownDemo(t *testing.T, options ...func(*testDemo)) *testDemo {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	d, err := all.newDemo(name, needsBundle(t), options...)
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
