package git

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// TestClients goes through what people do with the git command line.
func TestClients(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	clone := h.url + "/fleet.git"
	empty := t.TempDir()
	git(t, empty, "clone", "-q", clone, ".")

	w := work(t, h, "fleet")
	tip := history(t, w, 40, "change", func(i int) []string {
		return []string{"apps/a.txt", fmt.Sprint(i), fmt.Sprintf("more/%d.txt", i%7), fmt.Sprint(i)}
	})
	git(t, w, "push", "-q", "-u", "origin", "main")

	t.Run("clone", func(t *testing.T) {
		d := t.TempDir()
		git(t, d, "clone", "-q", clone, ".")
		wantTip(t, d, "HEAD", tip, 40)
		if b := git(t, d, "branch", "--show-current"); b != "main" {
			t.Errorf("clone is on %q", b)
		}
		git(t, empty, "fetch", "-q")
		wantTip(t, empty, "origin/main", tip, 40)
	})
	t.Run("shallow", func(t *testing.T) {
		for depth := 1; depth <= 3; depth++ {
			d := t.TempDir()
			git(t, d, "clone", "-q", "--depth", fmt.Sprint(depth), clone, ".")
			wantTip(t, d, "HEAD", tip, depth)
			git(t, d, "fetch", "-q", "--depth", fmt.Sprint(depth+2))
			wantTip(t, d, "HEAD", tip, depth+2)
			git(t, d, "fetch", "-q", "--unshallow")
			wantTip(t, d, "HEAD", tip, 40)
		}
		out, err := try(t, t.TempDir(), "clone", "--shallow-since=2001-01-01", clone, ".")
		if err == nil || !strings.Contains(out, "--shallow-since") && !strings.Contains(out, "does not support") {
			t.Errorf("shallow-since: %v, %s", err, out)
		}
	})
	t.Run("pull into a shallow clone", func(t *testing.T) {
		d := t.TempDir()
		git(t, d, "clone", "-q", "--depth=1", clone, ".")
		tip = commit(t, w, "later", "apps/a.txt", "later")
		git(t, w, "push", "-q")
		git(t, d, "pull", "-q")
		wantTip(t, d, "HEAD", tip, 2)
		git(t, d, "remote", "set-url", "origin", h.pushURL+"/fleet.git")
		tip = commit(t, d, "pushed from a shallow clone", "apps/a.txt", "shallow")
		git(t, d, "push", "-q")
		git(t, w, "pull", "-q")
		wantTip(t, w, "HEAD", tip, 42)
	})
	t.Run("fetch with many local commits", func(t *testing.T) {
		d := t.TempDir()
		git(t, d, "clone", "-q", clone, ".")
		history(t, d, 70, "local", func(int) []string { return nil })
		tip = commit(t, w, "remote", "apps/b.txt", "b")
		git(t, w, "push", "-q")
		git(t, d, "pull", "-q", "--rebase")
		wantTip(t, d, "origin/main", tip, 43)
	})
	t.Run("merges", func(t *testing.T) {
		git(t, w, "checkout", "-q", "-b", "side", "HEAD~10")
		commit(t, w, "side", "side.txt", "side")
		git(t, w, "push", "-q", "origin", "side")
		git(t, w, "checkout", "-q", "main")
		git(t, w, "merge", "-q", "--no-edit", "side")
		tip = git(t, w, "rev-parse", "HEAD")
		git(t, w, "push", "-q")
		git(t, empty, "fetch", "-q")
		wantTip(t, empty, "origin/main", tip, 45)
	})
	t.Run("force push", func(t *testing.T) {
		old := git(t, w, "rev-parse", "HEAD~3")
		git(t, w, "reset", "-q", "--hard", old)
		if out, err := try(t, w, "push"); err == nil {
			t.Errorf("a push backwards went through without force: %s", out)
		}
		git(t, w, "push", "-q", "--force")
		git(t, empty, "fetch", "-q")
		if got := git(t, empty, "rev-parse", "origin/main"); got != old {
			t.Errorf("main is %s after the force push, want %s", got, old)
		}
		tip = commit(t, w, "rewritten")
		git(t, w, "push", "-q", "--force-with-lease")
	})
	t.Run("branches and tags", func(t *testing.T) {
		git(t, w, "push", "-q", "origin", "main:a/b")
		git(t, w, "push", "-q", "origin", ":a/b")
		git(t, w, "push", "-q", "origin", "main:a")
		git(t, w, "tag", "-a", "v1", "-m", "one")
		git(t, w, "tag", "light")
		git(t, w, "push", "-q", "--tags", "-o", "ignored")
		refs := git(t, empty, "ls-remote", "-q")
		for _, want := range []string{"refs/heads/a", "refs/tags/v1", "refs/tags/v1^{}", "refs/tags/light"} {
			if !strings.Contains(refs, want) {
				t.Errorf("%s is missing in\n%s", want, refs)
			}
		}
		if strings.Contains(refs, "a/b") {
			t.Errorf("a/b is still there:\n%s", refs)
		}
		d := t.TempDir()
		git(t, d, "clone", "-q", "--branch", "v1", clone, ".")
		if out, err := try(t, w, "push", "origin", ":main"); err == nil || !strings.Contains(out, "prohibited") {
			t.Errorf("delete main: %v, %s", err, out)
		}
	})
	t.Run("big", func(t *testing.T) {
		if testing.Short() {
			t.Skip("20 MB under the race detector take a while")
		}
		big := make([]byte, 20<<20)
		_, _ = rand.Read(big)
		files := []string{"big.bin", string(big)}
		for i := range 1000 {
			files = append(files, fmt.Sprintf("many/%d/%d.txt", i%30, i), fmt.Sprintf("content %d\n", i))
		}
		tip = commit(t, w, "big", files...)
		git(t, w, "push", "-q")
		d := t.TempDir()
		git(t, d, "clone", "-q", "--depth=1", clone, ".")
		wantTip(t, d, "HEAD", tip, 1)
		got, err := os.ReadFile(filepath.Join(d, "big.bin"))
		if err != nil || string(got) != string(big) {
			t.Errorf("big.bin came back different: %v", err)
		}
	})
	git(t, filepath.Join(h.cfg.Root, "fleet.git"), "fsck", "--full", "--strict")
}

// wantTip checks where ref points, how much history is there, and that all objects are.
func wantTip(t *testing.T, dir, ref, tip string, commits int) {
	t.Helper()
	if got := git(t, dir, "rev-parse", ref); got != tip {
		t.Errorf("%s is %s, want %s", ref, got, tip)
	}
	if got := git(t, dir, "rev-list", "--count", ref); got != fmt.Sprint(commits) {
		t.Errorf("%s has %s commits, want %d", ref, got, commits)
	}
	git(t, dir, "fsck", "--full")
}

func TestPushNeedsPassword(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	w := work(t, h, "fleet")
	commit(t, w, "one")
	for name, url := range map[string]string{
		"none":           h.url,
		"wrong password": strings.Replace(h.url, "//", "//demo:wrong@", 1),
		"wrong user":     strings.Replace(h.url, "//", "//root:secret@", 1),
	} {
		if out, err := try(t, w, "push", url+"/fleet.git", "main"); err == nil {
			t.Errorf("%s: pushed: %s", name, out)
		}
	}
	if out := git(t, w, "ls-remote", h.url+"/fleet.git"); out != "" {
		t.Errorf("the repository is not empty any more: %s", out)
	}
	for _, path := range []string{"/fleet.git/info/refs?service=git-receive-pack", "/fleet.git/git-receive-pack"} {
		method := http.MethodGet
		if !strings.Contains(path, "?") {
			method = http.MethodPost
		}
		req, _ := http.NewRequestWithContext(t.Context(), method, h.url+path, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%s %s: %s, %q", method, path, resp.Status, resp.Header.Get("WWW-Authenticate"))
		}
	}
	git(t, w, "push", "-q", "origin", "main")
}

// TestSimultaneousPushes: of those that start from the same commit one wins, the others are told to fetch first.
func TestSimultaneousPushes(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	w := work(t, h, "fleet")
	commit(t, w, "base")
	git(t, w, "push", "-q", "origin", "main")
	const clients = 4
	var dirs, tips []string
	for i := range clients {
		d := t.TempDir()
		git(t, d, "clone", "-q", h.pushURL+"/fleet.git", ".")
		tips = append(tips, commit(t, d, fmt.Sprintf("client %d", i), "f.txt", fmt.Sprint(i)))
		dirs = append(dirs, d)
	}
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i, d := range dirs {
		wg.Go(func() {
			_, errs[i] = try(t, d, "push", "origin", "main")
			// Each also has a branch of its own, and reads what the others write.
			_, err := try(t, d, "push", "origin", fmt.Sprintf("main:own/%d", i))
			_, err2 := try(t, d, "fetch", "--depth=1", "origin")
			if err := errors.Join(err, err2); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		if err == nil && won >= 0 {
			t.Errorf("clients %d and %d both pushed to main", won, i)
		} else if err == nil {
			won = i
		}
	}
	if won < 0 {
		t.Fatal("no push went through")
	}
	if got := git(t, w, "ls-remote", "origin", "main"); !strings.HasPrefix(got, tips[won]) {
		t.Errorf("main is %s, want the winner's %s", got, tips[won])
	}
	git(t, filepath.Join(h.cfg.Root, "fleet.git"), "fsck", "--full")
}

func TestPushWithMissingHistory(t *testing.T) {
	t.Parallel()
	h := start(t, Config{Repositories: []string{"fleet", "other"}})
	w := work(t, h, "fleet")
	commit(t, w, "one")
	commit(t, w, "two")
	git(t, w, "push", "-q", "origin", "main")
	d := t.TempDir()
	git(t, d, "clone", "-q", "--depth=1", h.url+"/fleet.git", ".")
	if out, err := try(t, d, "push", h.pushURL+"/other.git", "main"); err == nil {
		t.Errorf("half a history was accepted: %s", out)
	}
	if out := git(t, d, "ls-remote", h.url+"/other.git"); out != "" {
		t.Errorf("other has %s", out)
	}
}

func TestRestartKeepsRepositories(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	h := start(t, Config{Root: root, Repositories: []string{"extra"}})
	w := work(t, h, "extra")
	tip := commit(t, w, "one <b>bold</b>")
	git(t, w, "push", "-q", "origin", "main")
	h = start(t, Config{Root: root})
	if got := git(t, w, "ls-remote", h.url+"/extra", "main"); !strings.HasPrefix(got, tip) {
		t.Errorf("extra after the restart: %q", got)
	}
	page := get(t, h.url+"/")
	for _, want := range []string{"one &lt;b&gt;bold", tip[:7], "git clone " + h.url + "/extra.git", "no commits yet"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if _, err := try(t, w, "ls-remote", h.url+"/nothing.git"); err == nil {
		t.Error("a repository that is not there was listed")
	}
	if got := get(t, h.url+"/healthz"); got != "ok\n" {
		t.Errorf("healthz: %q", got)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full := Config{Root: t.TempDir(), Username: "u", Password: "p", WebhookURL: "http://127.0.0.1:1", WebhookToken: "t", Logger: serve.Logger(nil)}
	for want, change := range map[string]func(*Config){
		"--root":           func(c *Config) { c.Root = "" },
		"GIT_PASSWORD":     func(c *Config) { c.Password = "" },
		"WEBHOOK_TOKEN":    func(c *Config) { c.WebhookToken = "" },
		"another":          func(c *Config) { c.Root = file },
		"not a valid name": func(c *Config) { c.Repositories = []string{"../up"} },
	} {
		cfg := full
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
