package fleet

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gitserver "github.com/fluxdemo/fluxdemo/demo/services/git"
)

// TestReset resets a fleet that people have cloned: their clones do not bring back what is gone, but the demo itself
// may, and whoever insists.
func TestReset(t *testing.T) {
	server, err := gitserver.New(gitserver.Config{Root: t.TempDir(), Username: "demo", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	host := httptest.NewServer(server)
	defer host.Close()
	r := &Repository{URL: host.URL + "/fleet.git", User: "demo", Password: "secret", Copy: filepath.Join(t.TempDir(), "copy")}
	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, "", "clone", "-q", strings.Replace(r.URL, "//", "//demo:secret@", 1), clone)
	var commits []string
	for _, message := range []string{"begin", "one", "two"} {
		gitIn(t, clone, "commit", "-q", "--allow-empty", "-m", message)
		gitIn(t, clone, "push", "-q", "origin", "HEAD:main")
		head, err := r.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, head)
	}
	at := func() string {
		head, _, _ := strings.Cut(gitIn(t, clone, "ls-remote", "origin", "main"), "\t")
		return head
	}
	// Back by hand before the reset: the reset has nothing to move, and what was there is gone all the same.
	if err := r.Move(t.Context(), commits[0]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Reset(t.Context(), commits[0]); err != nil {
			t.Fatal(err)
		}
		if at() != commits[0] {
			t.Errorf("after the reset, at %s", at())
		}
		push := exec.CommandContext(t.Context(), "git", "push", "--force", "origin", "HEAD:main")
		push.Dir = clone
		push.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
		if out, err := push.CombinedOutput(); err == nil || !strings.Contains(string(out), "remote: 2 commits") {
			t.Errorf("an old clone: %v\n%s", err, out)
		}
	}
	// A walk goes back to where it was.
	if err := r.Move(t.Context(), commits[1]); err != nil || at() != commits[1] {
		t.Errorf("the demo itself: %v, at %s", err, at())
	}
	if err := r.Reset(t.Context(), commits[0]); err != nil || at() != commits[0] {
		t.Errorf("reset again: %v, at %s", err, at())
	}
	wrong := *r
	wrong.Password = "wrong"
	if err := wrong.Reset(t.Context(), commits[0]); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password: %v", err)
	}
	// What holds is the repository, not this run of the server.
	gitIn(t, clone, "push", "-q", "-o", "restore", "origin", "HEAD:main")
	if at() != commits[2] {
		t.Errorf("with the push option, at %s", at())
	}
}
