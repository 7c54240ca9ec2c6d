package git

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

// resetTo does what a reset of the demo does: it tells the host, and moves main.
func resetTo(t *testing.T, h host, dir, commit string) {
	t.Helper()
	client := gitapi.Client{Address: h.url + "/fleet.git", User: "demo", Password: "secret"}
	if err := client.Reset(t.Context(), "fleet", gitapi.Reset{Branch: "main", Commit: commit}); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "push", "-q", "--force", h.pushURL+"/fleet.git", commit+":refs/heads/main")
}

// refused pushes from dir, which must be refused with the hint that all these commits would come back.
func refused(t *testing.T, dir, commits string, args ...string) {
	t.Helper()
	out, err := try(t, dir, append([]string{"push"}, args...)...)
	if err == nil {
		t.Fatalf("git push %v: old commits are back", args)
	}
	for _, want := range []string{"remote: The demo was reset at", "remote: " + commits, "remote:   git pull --rebase", "git push -o restore", "[remote rejected] main -> main (main was reset at"} {
		if !strings.Contains(out, want) {
			t.Errorf("git push %v: the answer lacks %q:\n%s", args, want, out)
		}
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "remote: ") && len(strings.TrimSpace(line)) > 72 {
			t.Errorf("longer than 72 columns: %q", line)
		}
	}
}

// TestOldClone goes through what the owner of a clone from before a reset can do.
func TestOldClone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	h := start(t, Config{Root: root})
	demo := work(t, h, "fleet")
	begin := commit(t, demo, "begin", "a", "0")
	git(t, demo, "push", "-q", "origin", "main")
	old := func() string {
		d := t.TempDir()
		git(t, d, "clone", "-q", h.pushURL+"/fleet.git", ".")
		return d
	}
	alice := old()
	commit(t, alice, "one", "a", "1")
	commit(t, alice, "two", "a", "2")
	git(t, alice, "push", "-q")
	bob, carol, dave := old(), old(), old()
	resetTo(t, h, demo, begin)

	at := func() string {
		hash, _, _ := strings.Cut(git(t, demo, "ls-remote", h.url+"/fleet.git", "refs/heads/main"), "\t")
		return hash
	}
	commit(t, alice, "three", "b", "3")
	refused(t, alice, "2 commits")
	refused(t, alice, "2 commits", "--force") // git says nothing of force here: it is no step back
	git(t, bob, "pull", "-q")
	refused(t, bob, "2 commits")
	refused(t, bob, "2 commits", "-o", "unknown")
	if at() != begin {
		t.Fatalf("main is at %s", at())
	}
	// A restart forgets nothing.
	h.Close()
	h = start(t, Config{Root: root})
	for _, d := range []string{alice, bob, carol, dave} {
		git(t, d, "remote", "set-url", "origin", h.pushURL+"/fleet.git")
	}
	refused(t, alice, "2 commits")

	// What the hint says works: what was not pushed before is kept, and the rest is not.
	git(t, alice, "pull", "-q", "--rebase")
	git(t, alice, "push", "-q")
	if got := git(t, alice, "log", "--format=%s", "origin/main"); got != "three\nbegin" {
		t.Errorf("after pull --rebase, main has\n%s", got)
	}
	git(t, carol, "fetch", "-q")
	git(t, carol, "reset", "-q", "--hard", "origin/main")
	commit(t, carol, "four", "c", "4")
	git(t, carol, "push", "-q")

	// A step back, for which git itself asks for force, goes through, and what it brings back is there to stay.
	git(t, bob, "push", "-q", "--force")
	if got := at(); got != git(t, bob, "rev-parse", "HEAD") {
		t.Errorf("after the forced push, main is at %s", got)
	}
	git(t, demo, "push", "-q", "--force", h.pushURL+"/fleet.git", begin+":refs/heads/main")
	git(t, dave, "push", "-q")
	// A second reset takes it away again, with what came in between, and names all of it.
	resetTo(t, h, demo, begin)
	refused(t, dave, "2 commits")
	refused(t, carol, "2 commits")
	commit(t, dave, "five", "d", "5")
	git(t, dave, "push", "-q", "-o", gitapi.Restore)
	if got := git(t, dave, "log", "--format=%s", "origin/main"); got != "five\ntwo\none\nbegin" {
		t.Errorf("after push -o restore, main has\n%s", got)
	}
	commit(t, dave, "six", "d", "6")
	git(t, dave, "push", "-q")
	// Other branches are not Flux's.
	git(t, carol, "push", "-q", "origin", "main:mine")
}

// TestResetRequest refuses what is no reset.
func TestResetRequest(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	w := work(t, h, "fleet")
	begin := commit(t, w, "begin")
	git(t, w, "push", "-q", "origin", "main")
	good := gitapi.Client{Address: h.url, User: "demo", Password: "secret"}
	for name, c := range map[string]struct {
		client gitapi.Client
		repo   string
		reset  gitapi.Reset
		want   string
	}{
		"password":   {gitapi.Client{Address: h.url, User: "demo", Password: "wrong"}, "fleet", gitapi.Reset{Branch: "main", Commit: begin}, "password"},
		"repository": {good, "nothing", gitapi.Reset{Branch: "main", Commit: begin}, gitapi.ErrUnknown.Error()},
		"path":       {good, "../fleet", gitapi.Reset{Branch: "main", Commit: begin}, gitapi.ErrUnknown.Error()},
		"branch":     {good, "fleet", gitapi.Reset{Branch: "../main", Commit: begin}, "branch"},
		"commit":     {good, "fleet", gitapi.Reset{Branch: "main", Commit: "main"}, "commit"},
	} {
		if err := c.client.Reset(t.Context(), c.repo, c.reset); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two resets without anything between them, and a commit that the host does not have.
	for _, to := range []string{begin, begin, strings.Repeat("1", 40)} {
		if err := good.Reset(t.Context(), "fleet", gitapi.Reset{Branch: "main", Commit: to}); err != nil {
			t.Errorf("reset to %s: %v", to, err)
		}
	}
	// Damaged files of the host do not keep it from starting.
	for _, name := range []string{resetsName, pushesName} {
		if err := os.WriteFile(filepath.Join(h.cfg.Root, "fleet.git", name), []byte(`{"refs/heads/main":null,"x`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h.Close()
	h = start(t, Config{Root: h.cfg.Root})
	commit(t, w, "next")
	git(t, w, "push", "-q", h.pushURL+"/fleet.git", "main")
	h.Close()
	h = start(t, Config{Root: h.cfg.Root})
	if all := h.repo("fleet").pushes.all(); len(all) != 1 || all[0].User != "demo" || all[0].Before != begin {
		t.Errorf("pushes after the damage: %+v", all)
	}
}

// TestPushLog keeps the last pushes, over restarts.
func TestPushLog(t *testing.T) {
	dir := t.TempDir()
	l, err := openPushLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 3*keptPushes + 7 {
		if err := l.add(record{Ref: "refs/heads/main", User: "demo"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.add(record{Ref: "refs/heads/last"}); err != nil {
		t.Fatal(err)
	}
	if again, err := openPushLog(dir); err != nil || len(again.all()) != keptPushes || again.all()[0].Ref != "refs/heads/last" || again.lines > 2*keptPushes {
		t.Errorf("%d pushes, %d lines, %v", len(again.all()), again.lines, err)
	}
}
