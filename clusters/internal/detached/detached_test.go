package detached_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/internal/detached"
)

// TestMain makes the test program the process in the background: it holds the
// lock that its last argument names until it is ended.
func TestMain(m *testing.M) {
	if os.Getenv("DETACHED_TEST_HOLDS") == "" {
		os.Exit(m.Run())
	}
	p := detached.Process{Lock: os.Args[len(os.Args)-1]}
	release, err := p.Hold(context.Background())
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	defer release()
	os.Stdout.WriteString("holds\n")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
}

func hold(t *testing.T, args ...string) (cmd *exec.Cmd, says string) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "DETACHED_TEST_HOLDS=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	says, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(says)
}

func TestProcess(t *testing.T) {
	p := detached.Process{Lock: filepath.Join(t.TempDir(), "lock"), Verb: "supervise"}
	if runs, err := p.Runs(); runs || err != nil {
		t.Fatalf("without a file: %v, %v", runs, err)
	}
	if _, err := os.Stat(p.Lock); err == nil {
		t.Error("to look makes the file")
	}
	cmd, says := hold(t, "supervise", p.Lock)
	if says != "holds" {
		t.Fatal(says)
	}
	for range 3 {
		if runs, err := p.Runs(); !runs || err != nil {
			t.Fatalf("while it runs: %v, %v", runs, err)
		}
	}
	if _, says := hold(t, "supervise", p.Lock); says != detached.ErrHeld.Error() {
		t.Errorf("the second one says %q", says)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if ended, err := p.AwaitEnd(ended); ended || err != nil {
		t.Errorf("while it runs: %v, %v", ended, err)
	}
	other := p
	other.Verb = "forward"
	if err := other.End(0); err == nil || !strings.Contains(err.Error(), "fluxdemo forward") {
		t.Errorf("a process of another verb: %v", err)
	}
	if runtime.GOOS == "linux" {
		if p.PID() != cmd.Process.Pid {
			t.Errorf("PID %d, not %d", p.PID(), cmd.Process.Pid)
		}
		if err := p.End(0); err != nil {
			t.Fatal(err)
		}
	} else if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if ended, err := p.AwaitEnd(ctx); !ended || err != nil {
		t.Errorf("%v, %v", ended, err)
	}
}

// TestStopped finds out that a process is stopped, and ends it: it hears no
// request to end.
func TestStopped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows it")
	}
	p := detached.Process{Lock: filepath.Join(t.TempDir(), "lock"), Verb: "supervise"}
	cmd, _ := hold(t, "supervise", p.Lock)
	if pid, stopped := p.Stopped(); stopped || pid != cmd.Process.Pid {
		t.Errorf("process %d, stopped: %v", pid, stopped)
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for stopped := false; !stopped && t.Context().Err() == nil; {
		_, stopped = p.Stopped() // the kernel stops it in a moment
	}
	if err := p.Kill(0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if ended, err := p.AwaitEnd(ctx); !ended || err != nil {
		t.Errorf("%v, %v", ended, err)
	}
}

// TestOthers looks at a process that has the file open and is not meant.
func TestOthers(t *testing.T) {
	p := detached.Process{Lock: filepath.Join(t.TempDir(), "lock"), Verb: "supervise"}
	cmd, _ := hold(t, "editor", p.Lock)
	if pid := p.PID(); pid != 0 {
		t.Errorf("PID %d", pid)
	}
	if err := p.End(0); err == nil {
		t.Error("it was ended")
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); errors.Is(err, os.ErrProcessDone) {
		t.Error("it has ended")
	}
}

// TestHoldProbed takes the lock while others look at it.
func TestHoldProbed(t *testing.T) {
	p := detached.Process{Lock: filepath.Join(t.TempDir(), "lock")}
	if err := os.WriteFile(p.Lock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	defer close(stop)
	for range 4 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = p.Runs()
				}
			}
		}()
	}
	for range 20 {
		release, err := p.Hold(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
}
