package git

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// inCluster is an address that only a proxy can resolve.
const inCluster = "http://receiver.flux-system.svc.cluster.local"

// proxied gets the requests that went through HTTP_PROXY; the standard library reads the variable once per process,
// so it must be there before the first test.
var proxied = make(chan *http.Request, 16)

func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proxied <- r }))
	for k, v := range map[string]string{"HTTP_PROXY": proxy.URL, "http_proxy": proxy.URL, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"} {
		_ = os.Setenv(k, v)
	}
	code := m.Run()
	proxy.Close()
	os.Exit(code)
}

// host is a running Git host.
type host struct {
	*Server
	url, pushURL string
	seen         *atomic.Int64 // the last event that await has looked at
}

// start serves cfg; Root and the credentials have defaults.
func start(t *testing.T, cfg Config) host {
	t.Helper()
	if cfg.Root == "" {
		cfg.Root = t.TempDir()
	}
	cfg.Username, cfg.Password = "demo", "secret"
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(func() { srv.Close(); s.Close() })
	return host{s, srv.URL, strings.Replace(srv.URL, "//", "//demo:secret@", 1), new(atomic.Int64)}
}

// command returns a call of git with nobody's configuration, which ends after a minute.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	return cmd
}

// try runs git with nobody's configuration.
func try(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	out, err := command(t, dir, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// git runs a command that must succeed.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := try(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// work returns a new working copy on branch main that pushes to repo at h.
func work(t *testing.T, h host, repo string) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "remote", "add", "origin", h.pushURL+"/"+repo+".git")
	return dir
}

// commit writes files (name, content, ...) and commits them; it returns the commit's hash.
func commit(t *testing.T, dir, message string, files ...string) string {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", message)
	return git(t, dir, "rev-parse", "HEAD")
}

// history adds n commits to main in one process, and checks the last of them out; it returns its hash. files returns the
// files (name, content, ...) that commit i changes.
func history(t *testing.T, dir string, n int, message string, files func(i int) []string) string {
	t.Helper()
	var in strings.Builder
	data := func(s string) { fmt.Fprintf(&in, "data %d\n%s\n", len(s), s) }
	parent := ""
	if out, err := try(t, dir, "rev-parse", "--verify", "-q", "main"); err == nil {
		parent = out
	}
	for i := range n {
		in.WriteString("commit refs/heads/main\ncommitter Ann <ann@example.com> 1700000000 +0000\n")
		data(fmt.Sprintf("%s %d", message, i))
		if i == 0 && parent != "" {
			fmt.Fprintf(&in, "from %s\n", parent)
		}
		changed := files(i)
		for j := 0; j < len(changed); j += 2 {
			fmt.Fprintf(&in, "M 100644 inline %s\n", changed[j])
			data(changed[j+1])
		}
	}
	cmd := command(t, dir, "fast-import", "--quiet")
	cmd.Stdin = strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	git(t, dir, "reset", "-q", "--hard", "main")
	return git(t, dir, "rev-parse", "main")
}

// get returns the body of a page that must be there.
func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, resp.Status, err)
	}
	return string(b)
}

// receive returns the next value of c, or fails the test.
func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s within 20 s", what)
		panic("unreachable")
	}
}
