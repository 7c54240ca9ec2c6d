package stream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"
)

// eachProtocol runs a test over all protocols.
func eachProtocol(t *testing.T, test func(t *testing.T, n *node, over protocol)) {
	for name, over := range protocols() {
		t.Run(name, func(t *testing.T) { test(t, newNode(t), over) })
	}
}

// session is a client of an interactive command.
type testSession struct {
	screen *screen
	keys   *io.PipeWriter
	sizes  sizes
	leave  context.CancelFunc
	ended  chan error
}

func interact(t *testing.T, n *node, over protocol, path string, command ...string) *testSession {
	t.Helper()
	in, keys := io.Pipe()
	ctx, leave := context.WithCancel(t.Context())
	s := &testSession{screen: newScreen(), keys: keys, sizes: make(sizes, 8), leave: leave, ended: make(chan error, 1)}
	t.Cleanup(leave)
	t.Cleanup(func() { close(s.sizes) })
	options := remotecommand.StreamOptions{Stdin: in, Stdout: s.screen, Tty: true, TerminalSizeQueue: s.sizes}
	s.sizes <- remotecommand.TerminalSize{Width: 80, Height: 24}
	executor := over(t, n, path, options, command...)
	go func() { s.ended <- executor.StreamWithContext(ctx, options) }()
	return s
}

func (s *testSession) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(s.keys, keys); err != nil {
		t.Fatal(err)
	}
}

// end waits for the end of the session and returns its exit code.
func (s *testSession) end(t *testing.T) int {
	t.Helper()
	var err error
	select {
	case err = <-s.ended:
	case <-time.After(testWait):
		t.Fatalf("the session does not end; the screen has:\n%s", s.screen)
	}
	return codeOf(t, err)
}

func codeOf(t *testing.T, err error) int {
	t.Helper()
	var code utilexec.CodeExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return code.Code
	}
	t.Fatalf("it ended with %v", err)
	return -1
}

// TestTerminal does what a person does in a shell.
func TestTerminal(t *testing.T) {
	eachProtocol(t, func(t *testing.T, n *node, over protocol) {
		s := interact(t, n, over, "/exec", "sh")
		s.screen.await(t, `ready> $`)
		s.press(t, "echo $TERM $((6*7)); tty\r")
		s.screen.await(t, `(?s)echo \$TERM.*\nxterm 42\n/dev/pts/\d+\nready> $`) // with its echo
		s.press(t, "stty size\r")
		s.screen.await(t, `\n24 80\nready> $`)
		s.sizes <- remotecommand.TerminalSize{Width: 132, Height: 43}
		s.press(t, "until stty size | grep '43 132'; do sleep 0.1; done\r")
		s.screen.await(t, `\n43 132\nready> $`)
		s.press(t, "sh -c 'echo $$; exec sleep 1000'\r")
		s.screen.await(t, `\n\d+\n$`)
		s.press(t, "\x03") // Ctrl-C
		s.screen.await(t, `\n\^C\s*ready> $`)
		s.press(t, "echo $?\r")
		s.screen.await(t, `\n130\nready> $`)
		s.press(t, "exit 7\r")
		if code := s.end(t); code != 7 {
			t.Errorf("exit code %d, want 7", code)
		}
	})
}

func TestTerminalEndOfInput(t *testing.T) {
	eachProtocol(t, func(t *testing.T, n *node, over protocol) {
		s := interact(t, n, over, "/exec", "sh")
		s.screen.await(t, `ready> $`)
		s.press(t, "\x04") // Ctrl-D
		if code := s.end(t); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

// TestLeave has the client go away: nothing that it started stays, also what
// runs in the background and what does not care for a hangup.
func TestLeave(t *testing.T) {
	eachProtocol(t, func(t *testing.T, n *node, over protocol) {
		s := interact(t, n, over, "/exec", "sh")
		s.screen.await(t, `ready> $`)
		s.press(t, "(trap '' HUP; sleep 1000 & echo job $!; wait) & echo shell $$; sleep 1001\r")
		shell, job := pid(t, s.screen, `shell (\d+)\n`), pid(t, s.screen, `\bjob (\d+)\n`)
		s.leave()
		gone(t, shell, job)
	})
}

// TestLeavePipes is TestLeave for a client without a terminal, and without an
// input.
func TestLeavePipes(t *testing.T) {
	eachProtocol(t, func(t *testing.T, n *node, over protocol) {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		seen := newScreen()
		options := remotecommand.StreamOptions{Stdout: seen}
		executor := over(t, n, "/exec", options, "sh", "-c", "sleep 1000 & echo job $!; echo shell $$; wait")
		go func() { _ = executor.StreamWithContext(ctx, options) }()
		shell, job := pid(t, seen, `shell (\d+)\n`), pid(t, seen, `\bjob (\d+)\n`)
		leave()
		gone(t, shell, job)
	})
}

// TestContainerEnds ends the container beside which a shell runs.
func TestContainerEnds(t *testing.T) {
	n, ended := newNode(t), make(chan struct{})
	n.exec = func(ctx context.Context, command []string, client api.AttachIO) error {
		return Exec(ctx, Command{Args: command, Env: []string{"PATH=/usr/bin:/bin", "PS1=ready> "}, Dir: "/", Until: ended}, client)
	}
	s := interact(t, n, protocols()["SPDY"], "/exec", "sh")
	s.screen.await(t, `ready> $`)
	close(ended)
	if code := s.end(t); code == 0 {
		t.Error("a shell that was killed counts as successful")
	}
}

// TestPipes runs commands without a terminal.
func TestPipes(t *testing.T) {
	tests := map[string]struct {
		command        []string
		input          *string
		stdout, stderr string
		code           int
	}{
		"no input":      {command: []string{"sh", "-c", "cat; echo done"}, stdout: "done\n"},
		"input":         {command: []string{"cat"}, input: text("line\nrest"), stdout: "line\nrest"},
		"input unread":  {command: []string{"true"}, input: text(strings.Repeat("x", 1<<20))},
		"much":          {command: []string{"sh", "-c", "cat | wc -c | tr -d ' '"}, input: text(strings.Repeat("x", 3<<20)), stdout: "3145728\n"},
		"both outputs":  {command: []string{"sh", "-c", "echo out; echo err >&2; exit 5"}, stdout: "out\n", stderr: "err\n", code: 5},
		"killed":        {command: []string{"sh", "-c", "kill -KILL $$"}, code: 137},
		"no terminal":   {command: []string{"sh", "-c", "test -t 0 || test -t 1 || echo none"}, stdout: "none\n"},
		"not there":     {command: []string{"no-such-program"}, stderr: "exec: no-such-program is not a program of this machine, and the virtual node has no others\n", code: 127},
		"left behind":   {command: []string{"sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo started"}, stdout: "started\n"},
		"relative path": {command: []string{"bin/echo", "found"}, stdout: "found\n"},
	}
	eachProtocol(t, func(t *testing.T, n *node, over protocol) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				out, errs := newScreen(), newScreen()
				options := remotecommand.StreamOptions{Stdout: out, Stderr: errs}
				if test.input != nil {
					options.Stdin = strings.NewReader(*test.input)
					if strings.HasPrefix(t.Name(), "TestPipes/WebSocket_v4/") {
						t.Skip("this protocol does not tell the end of the input")
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), testWait)
				defer cancel()
				err := over(t, n, "/exec", options, test.command...).StreamWithContext(ctx, options)
				if code := codeOf(t, err); code != test.code || out.String() != test.stdout || errs.String() != test.stderr {
					t.Errorf("%q, %q, exit code %d", out, errs, code)
				}
			})
		}
	})
}

// TestRefuse asks for a container that takes no clients.
func TestRefuse(t *testing.T) {
	const reason = "simulated: nothing runs"
	eachProtocol(t, func(t *testing.T, n *node, over protocol) {
		n.refuse = func(*http.Request) error { return apierrors.NewBadRequest(reason) }
		options := remotecommand.StreamOptions{Stdout: io.Discard}
		err := over(t, n, "/exec", options, "sh").StreamWithContext(t.Context(), options)
		if err == nil || !strings.Contains(err.Error(), reason) || strings.Contains(err.Error(), "\n") {
			if !strings.HasSuffix(t.Name(), "v4") { // the client shows no answer but a status
				t.Errorf("got %v", err)
			}
		}
	})
}

func text(s string) *string { return &s }

func pid(t *testing.T, s *screen, pattern string) int {
	t.Helper()
	id, err := strconv.Atoi(s.await(t, pattern)[1])
	if err != nil || syscall.Kill(id, 0) != nil {
		t.Fatalf("process %d does not run, %v", id, err)
	}
	return id
}

// gone waits until the processes have ended.
func gone(t *testing.T, pids ...int) {
	t.Helper()
	late := time.Now().Add(testWait)
	for _, id := range pids {
		for syscall.Kill(id, 0) == nil && !isZombie(id) {
			if time.Now().After(late) {
				_ = syscall.Kill(id, syscall.SIGKILL)
				t.Fatalf("process %d still runs", id)
			}
			time.Sleep(10 * time.Millisecond) // another process's child cannot be waited for
		}
	}
}
