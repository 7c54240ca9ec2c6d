package fleet

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gitserver "github.com/fluxdemo/fluxdemo/demo/services/git"
)

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// serve runs a real Git host until the test ends.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	server, err := gitserver.New(gitserver.Config{Root: t.TempDir(), Username: "demo", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	host := httptest.NewServer(server)
	t.Cleanup(func() { host.Close(); server.Close() })
	return host
}

// TestRestore moves the branch of a real Git host back, forth, and to a commit that nothing else refers to.
func TestRestore(t *testing.T) {
	host := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	r := &Repository{URL: host.URL + "/fleet.git", User: "demo", Password: "secret", Copy: filepath.Join(t.TempDir(), "copy")}
	if _, err := r.Head(ctx); err == nil {
		t.Error("an empty repository has a head")
	}
	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, "", "clone", "-q", strings.Replace(r.URL, "//", "//demo:secret@", 1), clone)
	var commits []string
	for _, colour := range []string{"grey", "red", "green"} {
		if err := os.WriteFile(filepath.Join(clone, "colour"), []byte(colour), 0o600); err != nil {
			t.Fatal(err)
		}
		gitIn(t, clone, "add", ".")
		gitIn(t, clone, "commit", "-q", "-m", colour)
		gitIn(t, clone, "push", "-q", "origin", "HEAD:main")
		head, err := r.Head(ctx)
		if err != nil || head != gitIn(t, clone, "rev-parse", "HEAD") {
			t.Fatalf("head %s, %v", head, err)
		}
		commits = append(commits, head)
	}
	for _, to := range []int{0, 2, 1, 1, 0} {
		// Another process each time: only the folder is the same.
		again := &Repository{URL: r.URL, User: "demo", Password: "secret", Copy: r.Copy}
		if err := again.Restore(ctx, commits[to], nil); err != nil {
			t.Fatal(err)
		}
		if now, _, _ := strings.Cut(gitIn(t, clone, "ls-remote", "origin", "main"), "\t"); now != commits[to] {
			t.Errorf("at %s, want %s", now, commits[to])
		}
	}
	if err := r.Move(ctx, commits[1]); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		if kept, err := r.Contains(ctx, commits[i]); err != nil || kept != want {
			t.Errorf("%s is in the branch: %t, %v; want %t", commits[i], kept, err, want)
		}
	}
	if kept, err := r.Contains(ctx, strings.Repeat("1", 40)); err != nil || kept {
		t.Errorf("a commit that was never there is in the branch: %t, %v", kept, err)
	}
	if err := r.Move(ctx, commits[0]); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(ctx, strings.Repeat("1", 40), nil); err == nil || !strings.Contains(err.Error(), "does not have it") {
		t.Errorf("a commit that was never there: %v", err)
	}
	wrong := *r
	wrong.Password = "wrong"
	if err := wrong.Restore(ctx, commits[1], nil); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password: %v", err)
	}
	// The cluster was started again, and the host has another port.
	moved := httptest.NewServer(host.Config.Handler)
	defer moved.Close()
	host.Close()
	r.URL = moved.URL + "/fleet.git"
	if head, err := r.Head(ctx); err != nil || head != commits[0] {
		t.Errorf("after the move: %s, %v", head, err)
	}
}
