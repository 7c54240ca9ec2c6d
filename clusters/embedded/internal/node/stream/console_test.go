package stream

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// run starts a script on a console, which clients of the node are attached to.
func run(t *testing.T, n *node, options ConsoleOptions, script string) (*process.Process, *screen) {
	t.Helper()
	log := newScreen()
	console := NewConsole(options, log)
	p, err := console.Start(process.Spec{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin", "PS1=ready> "}, Dir: "/"})
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		p.Exit()
		console.Finish()
	}()
	t.Cleanup(func() {
		p.Stop(0)
		<-finished
	})
	n.attach = func(ctx context.Context, client api.AttachIO) error { return console.Attach(ctx, client) }
	return p, log
}

// TestAttachShell attaches to a shell that waits, as kubectl run -it does.
func TestAttachShell(t *testing.T) {
	eachProtocol(t, func(t *testing.T, n *node, over protocol) {
		_, log := run(t, n, ConsoleOptions{Stdin: true, Once: true, TTY: true}, "exec sh")
		log.await(t, `ready> $`) // before anybody looks
		s := interact(t, n, over, "/attach")
		s.screen.await(t, `^ready> $`)
		// The size comes when it comes: a program that wants it asks again.
		s.press(t, "while test \"$(stty size)\" = \"0 0\"; do :; done; stty size; echo $((6*7))\r")
		s.screen.await(t, `\n24 80\n42\nready> $`)
		s.press(t, "exit 3\r")
		if code := s.end(t); code != 0 {
			t.Errorf("attach ended with %d; the pod has the container's exit code", code)
		}
		log.await(t, `\n42\n`)
	})
}

// TestDetach lets a client go: a process whose input is for one client ends,
// another one goes on.
func TestDetach(t *testing.T) {
	for _, options := range []ConsoleOptions{{Stdin: true, TTY: true}, {Stdin: true}} {
		eachProtocol(t, func(t *testing.T, n *node, over protocol) {
			script := "cat"
			if options.TTY {
				script = "exec sh"
			}
			for _, options.Once = range []bool{false, true} {
				p, log := run(t, n, options, script)
				if options.TTY {
					log.await(t, `ready> $`)
				}
				for range 2 {
					s := interact(t, n, over, "/attach")
					s.press(t, "echo hello\r\n")
					s.screen.await(t, `hello`)
					s.leave()
					<-s.ended
					if options.Once {
						break
					}
				}
				select {
				case <-p.Done():
					if !options.Once {
						t.Errorf("%+v: it ended", options)
					}
				case <-time.After(testWait):
					t.Errorf("%+v: it did not end", options)
				case <-after(!options.Once):
				}
			}
		})
	}
}

// after returns a channel that receives after a moment, if there is to be one.
func after(wanted bool) <-chan time.Time {
	if !wanted {
		return nil
	}
	return time.After(200 * time.Millisecond)
}

// TestAttachOutput attaches two clients to a process that only writes.
func TestAttachOutput(t *testing.T) {
	n := newNode(t)
	file := t.TempDir() + "/go"
	_, log := run(t, n, ConsoleOptions{}, "echo early; until test -e "+file+"; do sleep 0.05; done; echo late; echo wrong >&2")
	log.await(t, `early\n`)
	var ended []chan error
	var screens []*screen
	for range 2 {
		s, done := newScreen(), make(chan error, 1)
		options := remotecommand.StreamOptions{Stdout: s, Stderr: io.Discard}
		executor := protocols()["SPDY"](t, n, "/attach", options)
		attached := n.attach
		joined := make(chan struct{})
		n.attach = func(ctx context.Context, client api.AttachIO) error {
			close(joined)
			return attached(ctx, client)
		}
		go func() { done <- executor.StreamWithContext(t.Context(), options) }()
		<-joined
		n.attach = attached
		ended, screens = append(ended, done), append(screens, s)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, done := range ended {
		if err := <-done; err != nil || screens[i].String() != "late\nwrong\n" {
			t.Errorf("client %d: %q, %v", i, screens[i], err)
		}
	}
	log.await(t, `^early\nlate\nwrong\n$`)
}

// TestInputOnce passes an input to its end, as kubectl run -i with a pipe does.
func TestInputOnce(t *testing.T) {
	n := newNode(t)
	_, log := run(t, n, ConsoleOptions{Stdin: true, Once: true}, "wc -c | tr -d ' '")
	input := strings.Repeat("line\n", 100_000)
	options := remotecommand.StreamOptions{Stdin: strings.NewReader(input), Stdout: io.Discard}
	if err := protocols()["SPDY"](t, n, "/attach", options).StreamWithContext(t.Context(), options); err != nil {
		t.Error(err)
	}
	log.await(t, `^`+strconv.Itoa(len(input))+`\n$`)
}

// TestSlowClient has a client that does not read: the process goes on.
func TestSlowClient(t *testing.T) {
	n := newNode(t)
	_, log := run(t, n, ConsoleOptions{}, "sleep 0.3; i=0; while test $i -lt 3000; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx $i; i=$((i+1)); done; echo end")
	blocked := make(chan error, 1)
	go func() { blocked <- n.attach(t.Context(), stuck{t.Context()}) }()
	log.await(t, `\nend\n`)
	select {
	case err := <-blocked:
		t.Errorf("it ended with %v, though it cannot write", err)
	default:
	}
}

// stuck is a client whose output never returns from a write.
type stuck struct{ ctx context.Context }

func (s stuck) Write([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}
func (s stuck) Close() error                { return nil }
func (s stuck) Stdin() io.Reader            { return nil }
func (s stuck) Stdout() io.WriteCloser      { return s }
func (s stuck) Stderr() io.WriteCloser      { return nil }
func (s stuck) TTY() bool                   { return false }
func (s stuck) Resize() <-chan api.TermSize { return nil }
