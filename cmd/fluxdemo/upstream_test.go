package main

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/cli"
	"github.com/fluxdemo/fluxdemo/demo/services/git"
)

// serveForge serves a Git host that is not the demo's, with an empty repository.
func serveForge(t *testing.T, password string) (url string) {
	t.Helper()
	host, err := git.New(git.Config{Root: t.TempDir(), Username: "git", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(host)
	t.Cleanup(func() { server.Close(); host.Close() })
	return server.URL + "/fleet.git"
}

// TestUpstream has Flux follow a repository on a forge.
func TestUpstream(t *testing.T) {
	const token = "a-token-that-nobody-may-see"
	url := serveForge(t, token)
	d := ownDemo(t)
	up := func(token string, args ...string) result {
		return d.run([]string{cli.GitTokenVar + "=" + token}, all.program, d.named(append([]string{"up"}, args...))...)
	}

	// What cannot work is said before anything is made.
	full := serveForge(t, token)
	theirs := t.TempDir()
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"commit", "-q", "--allow-empty", "-m", "Theirs"}} {
		d.git(t, theirs, append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
	}
	d.git(t, theirs, "push", "-q", strings.Replace(full, "//", "//git:"+token+"@", 1), "main")
	for _, bad := range []struct{ url, says string }{
		{"git@git.example.org:me/fleet.git", "it is not the URL"},
		{strings.Replace(url, "//", "//git:"+token+"@", 1), "the URL contains a token"},
		{full, "create an empty repository"},
		{strings.Replace(url, "fleet", "nothing", 1), "not found"},
	} {
		r := up(token, "--git-url="+bad.url)
		if r.code != exitUsage || !strings.Contains(r.stderr, bad.says) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v", r)
		}
		if _, err := os.Stat(d.cluster()); err == nil {
			t.Fatalf("%s was made", d.cluster())
		}
	}

	if r := up(token, "--git-url="+url); r.code != 0 || !strings.Contains(r.stdout, "Forge  "+url+"\n") {
		t.Fatal(r)
	}
	head := func() string {
		hash, _, _ := strings.Cut(d.git(t, d.work(), "ls-remote", url, "refs/heads/main"), "\t")
		return hash
	}
	source := func(path string) string {
		return d.kubectl(t, "-n", "flux-system", "get", "gitrepository", "flux-system", "-o=jsonpath={"+path+"}")
	}
	first := head()
	if got := source(".spec.url"); got != url {
		t.Errorf("Flux follows %s", got)
	}
	if s, err := d.status(); err != nil || s.URLs.Upstream != url {
		t.Errorf("status: %+v, %v", s.URLs, err)
	}

	// A walk as anywhere, and its commits are on the forge.
	d.must(t, "walk", "gitops", "--auto")
	last := head()
	if last == first {
		t.Error("the walk's commits are not on the forge")
	}
	if got := source(".status.artifact.revision"); got != "main@sha1:"+last {
		t.Errorf("Flux has %s, the forge %s", got, last)
	}
	// Somebody commits on the forge, as in its editor: Flux has it at the next look.
	direct := filepath.Join(d.work(), "direct")
	d.git(t, d.work(), "clone", "-q", url, direct)
	d.git(t, direct, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "On the forge")
	d.git(t, direct, "push", "-q", strings.Replace(url, "//", "//git:"+token+"@", 1), "main")
	if r := d.run([]string{"KUBECONFIG=" + d.kubeconfig()}, d.bundle.Path("flux"), "reconcile", "source", "git", "flux-system"); r.code != 0 {
		t.Fatal(r)
	}
	if got := source(".status.artifact.revision"); got != "main@sha1:"+head() {
		t.Errorf("Flux has %s, the forge %s", got, head())
	}
	// Whoever clones from the demo gets that too.
	d.must(t, "clone", "fresh")
	if got := d.git(t, filepath.Join(d.work(), "fresh"), "rev-parse", "HEAD"); got != head() {
		t.Errorf("cloned %s", got)
	}

	d.must(t, "reset")
	if got := head(); got != first {
		t.Errorf("after reset the forge has %s, want %s", got, first)
	}
	if got := source(".spec.url"); got != url {
		t.Errorf("after reset Flux follows %s", got)
	}
	if r := up("another"); r.code != 0 {
		t.Errorf("a second up, which needs no token: %v", r)
	}
	if r := up(token, "--git-url="+serveForge(t, token)); r.code != exitFailure || !strings.Contains(r.stderr, "with another --git-url") {
		t.Errorf("another repository: %v", r)
	}
	for _, name := range []string{"git", "source-controller", "supervisor"} {
		if out := d.must(t, "logs", name); strings.Contains(out, token) {
			t.Errorf("the log of %s has the token", name)
		}
	}
	d.must(t, "down")
	// The next cluster goes on with the repository that the last one has filled.
	if r := up(token, "--git-url="+url); r.code != 0 {
		t.Error(r)
	}
}
