package stream

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	remotecommandconsts "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

const testWait = 20 * time.Second

// node is the server side: the kubelet API's handlers over a function each.
type node struct {
	*httptest.Server
	exec   func(ctx context.Context, command []string, client api.AttachIO) error
	attach func(ctx context.Context, client api.AttachIO) error
	refuse func(r *http.Request) error
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{refuse: func(*http.Request) error { return nil }}
	n.exec = func(ctx context.Context, command []string, client api.AttachIO) error {
		return Exec(ctx, Command{Args: command, Env: []string{"PATH=/usr/bin:/bin", "PS1=ready> "}, Dir: "/"}, client)
	}
	streams := api.PodHandler(api.PodHandlerConfig{
		RunInContainer: func(ctx context.Context, _, _, _ string, command []string, client api.AttachIO) error {
			return n.exec(ctx, command, client)
		},
		AttachToContainer: func(ctx context.Context, _, _, _ string, client api.AttachIO) error { return n.attach(ctx, client) },
		StreamIdleTimeout: time.Hour, StreamCreationTimeout: testWait,
	}, false)
	n.Server = httptest.NewServer(Guard{Check: func(r *http.Request) error { return n.refuse(r) }, Next: streams,
		Run: func(ctx context.Context, r *http.Request, client Client) error {
			if strings.HasPrefix(r.URL.Path, "/attach/") {
				return n.attach(ctx, client)
			}
			return n.exec(ctx, r.URL.Query()["command"], client)
		}})
	t.Cleanup(n.Close)
	return n
}

// protocol is a way of a client to the node.
type protocol func(t *testing.T, n *node, path string, options remotecommand.StreamOptions, command ...string) remotecommand.Executor

// protocols are those that there are: kubectl's first choice, its second, and
// that of clients that are older.
func protocols() map[string]protocol {
	return map[string]protocol{
		"WebSocket": func(t *testing.T, n *node, path string, options remotecommand.StreamOptions, command ...string) remotecommand.Executor {
			t.Helper()
			executor, err := remotecommand.NewWebSocketExecutor(&rest.Config{Host: n.URL}, http.MethodGet, target(t, n.URL, path, options, command).String())
			return made(t, executor, err)
		},
		"SPDY": func(t *testing.T, n *node, path string, options remotecommand.StreamOptions, command ...string) remotecommand.Executor {
			t.Helper()
			executor, err := remotecommand.NewSPDYExecutor(&rest.Config{Host: n.URL}, http.MethodPost, target(t, n.URL, path, options, command))
			return made(t, executor, err)
		},
		"WebSocket v4": func(t *testing.T, n *node, path string, options remotecommand.StreamOptions, command ...string) remotecommand.Executor {
			t.Helper()
			executor, err := remotecommand.NewWebSocketExecutorForProtocols(&rest.Config{Host: n.URL}, http.MethodGet, target(t, n.URL, path, options, command).String(),
				remotecommandconsts.StreamProtocolV4Name)
			return made(t, executor, err)
		},
	}
}

func made(t *testing.T, executor remotecommand.Executor, err error) remotecommand.Executor {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return executor
}

func target(t *testing.T, server, path string, options remotecommand.StreamOptions, command []string) *url.URL {
	t.Helper()
	u, err := url.Parse(server + path + "/default/pod/main")
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"command": command}
	for name, wanted := range map[string]bool{
		"input": options.Stdin != nil, "output": options.Stdout != nil, "error": options.Stderr != nil, "tty": options.Tty,
	} {
		if wanted {
			query.Set(name, "1")
		}
	}
	u.RawQuery = query.Encode()
	return u
}

// screen is what a person would see. It is safe for use by several goroutines.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.ReplaceAll(s.text.String(), "\r\n", "\n")
}

// await waits until the screen matches the pattern, and returns the match.
func (s *screen) await(t *testing.T, pattern string) []string {
	t.Helper()
	wanted, late := regexp.MustCompile(pattern), time.After(testWait)
	for {
		if found := wanted.FindStringSubmatch(s.String()); found != nil {
			return found
		}
		select {
		case <-s.changed:
		case <-late:
			t.Fatalf("%s does not come; the screen has:\n%s", pattern, s)
		}
	}
}

// sizes is a terminal that is resized.
type sizes chan remotecommand.TerminalSize

func (s sizes) Next() *remotecommand.TerminalSize {
	size, ok := <-s
	if !ok {
		return nil
	}
	return &size
}
