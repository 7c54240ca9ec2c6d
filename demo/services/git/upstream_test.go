package git

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp"

	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// TestUpstream puts a Git host in front of another one, as before a forge.
func TestUpstream(t *testing.T) {
	upstream := start(t, Config{})
	hookURL, accepted := receiver(t, nil)
	front := start(t, Config{
		Upstream:   &forge.Repository{URL: upstream.url + "/fleet.git", Username: "demo", Password: "secret"},
		WebhookURL: hookURL, WebhookToken: token,
	})
	there := func(ref string) string {
		hash, _, _ := strings.Cut(git(t, t.TempDir(), "ls-remote", upstream.url+"/fleet.git", ref), "\t")
		return hash
	}
	here := func(ref string) string {
		hash, _, _ := strings.Cut(git(t, t.TempDir(), "ls-remote", front.pushURL+"/fleet.git", ref), "\t")
		return hash
	}

	// What is pushed here is there.
	w := work(t, front, "fleet")
	first := commit(t, w, "First", "a", "1")
	git(t, w, "push", "-q", "origin", "main")
	if got := there("refs/heads/main"); got != first {
		t.Errorf("the upstream has %q, want %s", got, first)
	}
	if got := receive(t, accepted, "webhook"); got.event.After != first {
		t.Errorf("told of %+v", got.event)
	}
	// A commit that was made there is fetched here, and told of like a push.
	direct := work(t, upstream, "fleet")
	git(t, direct, "pull", "-q", "origin", "main")
	second := commit(t, direct, "Second", "a", "2")
	git(t, direct, "push", "-q", "origin", "main")
	if got := here("refs/heads/main"); got != second {
		t.Errorf("here is %q, want %s", got, second)
	}
	if got := receive(t, accepted, "webhook"); got.event.Before != first || got.event.After != second {
		t.Errorf("told of %+v", got.event)
	}
	git(t, direct, "push", "-q", "origin", "main:topic")
	// Who has not seen it must fetch first.
	commit(t, w, "Beside", "b", "1")
	if out, err := try(t, w, "push", "origin", "main"); err == nil || !strings.Contains(out, "fetch first") {
		t.Errorf("pushed over what is there: %v\n%s", err, out)
	}
	// Back by force, and a branch gone; nothing else is shown of the upstream.
	git(t, w, "reset", "-q", "--hard", first)
	git(t, w, "push", "-q", "--force", "origin", "main", ":topic")
	if got := there("refs/heads/main"); got != first {
		t.Errorf("the upstream has %q, want %s", got, first)
	}
	if got := git(t, w, "ls-remote", "origin"); got != first+"\tHEAD\n"+first+"\trefs/heads/main" {
		t.Errorf("shown:\n%s", got)
	}
	git(t, direct, "push", "-q", "origin", "main:gone")
	here("refs/heads/gone")
	git(t, direct, "push", "-q", "origin", ":gone")
	if got := here("refs/heads/gone"); got != "" {
		t.Errorf("a branch that is gone there is here, at %s", got)
	}
}

// TestUpstreamMoved pushes by force what was right when the client looked: a commit that came to the upstream since is kept.
func TestUpstreamMoved(t *testing.T) {
	upstream := start(t, Config{})
	front := start(t, Config{Upstream: &forge.Repository{URL: upstream.url + "/fleet.git", Username: "demo", Password: "secret"}})
	w, direct := work(t, front, "fleet"), work(t, upstream, "fleet")
	first := commit(t, w, "First", "a", "1")
	git(t, w, "push", "-q", "origin", "main")
	git(t, direct, "pull", "-q", "origin", "main")
	second := commit(t, direct, "Second", "a", "2")
	git(t, direct, "push", "-q", "origin", "main")

	rp := front.repo("fleet")
	st := rp.open()
	defer closeStorage(st)
	commit(t, w, "Other", "b", "1")
	git(t, w, "push", "-q", "origin", "main:other") // so that the object is there; it fetches as well
	if err := rp.setRef("refs/heads/main", plumbing.NewHash(first)); err != nil {
		t.Fatal(err)
	}
	other := plumbing.NewHash(git(t, w, "rev-parse", "HEAD"))
	if _, err := rp.update(t.Context(), st, &packp.Command{Name: "refs/heads/main", Old: plumbing.NewHash(first), New: other}, false); err == nil {
		t.Error("pushed over a commit that nobody here has seen")
	}
	if got, _, _ := strings.Cut(git(t, w, "ls-remote", upstream.url+"/fleet.git", "refs/heads/main"), "\t"); got != second {
		t.Errorf("the upstream has %s, want %s", got, second)
	}
}

// TestUpstreamRefuses pushes what the upstream does not take: it is not here either, and the client hears why.
func TestUpstreamRefuses(t *testing.T) {
	upstream := start(t, Config{})
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, upstream := range map[string]*forge.Repository{
		"wrong password": {URL: upstream.url + "/fleet.git", Username: "demo", Password: "wrong"},
		"no repository":  {URL: upstream.url + "/no/other.git", Username: "demo", Password: "secret"},
		"not there":      {URL: gone.URL + "/fleet.git"},
	} {
		t.Run(name, func(t *testing.T) {
			front := start(t, Config{Upstream: upstream})
			w := work(t, front, "fleet")
			commit(t, w, "First", "a", "1")
			out, err := try(t, w, "push", "origin", "main")
			if err == nil || !strings.Contains(out, "rejected by "+upstream.URL) {
				t.Errorf("push: %v\n%s", err, out)
			}
			if strings.Contains(out, "wrong") || strings.Contains(out, "secret@") {
				t.Errorf("it tells the password:\n%s", out)
			}
			if got := git(t, w, "ls-remote", front.pushURL+"/fleet.git"); got != "" {
				t.Errorf("here is %s", got)
			}
		})
	}
}

// TestUpstreamAfterCrash starts on a folder in which an earlier version was killed while it fetched.
func TestUpstreamAfterCrash(t *testing.T) {
	upstream := start(t, Config{})
	direct := work(t, upstream, "fleet")
	first := commit(t, direct, "First", "a", "1")
	git(t, direct, "push", "-q", "origin", "main")
	root := t.TempDir()
	if _, err := openRepo(root, "fleet"); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(root, "fleet.git", "refs", "upstream", "main")
	if err := os.MkdirAll(filepath.Dir(left), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	front := start(t, Config{Root: root, Upstream: &forge.Repository{URL: upstream.url + "/fleet.git", Username: "demo", Password: "secret"}})
	if got := git(t, direct, "ls-remote", front.pushURL+"/fleet.git"); got != first+"\tHEAD\n"+first+"\trefs/heads/main" {
		t.Errorf("shown:\n%s", got)
	}
}

// TestUpstreamReaders shows what is behind the Git host only to who has the password: the forge may be private.
func TestUpstreamReaders(t *testing.T) {
	upstream := start(t, Config{})
	direct := work(t, upstream, "fleet")
	commit(t, direct, "First", "a", "1")
	git(t, direct, "push", "-q", "origin", "main")
	front := start(t, Config{Upstream: &forge.Repository{URL: upstream.url + "/fleet.git", Username: "demo", Password: "secret"}})
	if _, err := front.newRepo("other"); err != nil {
		t.Fatal(err)
	}
	const pack = "application/x-git-upload-pack-request"
	for _, c := range []struct {
		method, path string
		alone, front int // the status without a password: of the Git host by itself, and of the one before a forge
	}{
		{"GET", "/healthz", 200, 200},
		{"GET", "/fleet.git/info/refs?service=git-upload-pack", 200, 401},
		{"POST", "/fleet.git/git-upload-pack", 200, 401},
		{"GET", "/", 200, 401},
		{"GET", "/fleet.git", 200, 401},
		{"GET", "/fleet/commits", 200, 401},
		{"GET", "/fleet/raw?rev=main&path=a", 200, 401},
		{"GET", "/api/repositories", 200, 401},
		{"GET", "/deliveries", 200, 401},
		{"GET", "/other.git/info/refs?service=git-upload-pack", 404, 200}, // only the second one has it
	} {
		for h, want := range map[host]int{upstream: c.alone, front: c.front} {
			for _, password := range []string{"", "wrong", "secret"} {
				req, err := http.NewRequestWithContext(t.Context(), c.method, h.url+c.path, strings.NewReader("0000"))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Content-Type", pack)
				if password != "" {
					req.SetBasicAuth("demo", password)
				}
				want := want
				if want == http.StatusUnauthorized && password == "secret" {
					want = http.StatusOK
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != want || (want == http.StatusUnauthorized) != (resp.Header.Get("WWW-Authenticate") != "") {
					t.Errorf("%s %s with the password %q: %d, want %d", c.method, c.path, password, resp.StatusCode, want)
				}
			}
		}
	}
	if out, err := try(t, t.TempDir(), "clone", front.url+"/fleet.git"); err == nil {
		t.Errorf("cloned without a password: %s", out)
	}
	git(t, t.TempDir(), "clone", "-q", front.pushURL+"/fleet.git")
}
