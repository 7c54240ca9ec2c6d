package git

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

// TestCreateByPush pushes to repositories that are not there.
func TestCreateByPush(t *testing.T) {
	t.Parallel()
	url, accepted := receiver(t, nil)
	root := t.TempDir()
	h := start(t, Config{Root: root, WebhookURL: url, WebhookToken: token})
	w := work(t, h, "new")
	tip := commit(t, w, "first", "a", "1")
	// Neither a question nor a push without password leaves anything.
	for _, url := range []string{h.url + "/new.git", strings.Replace(h.url, "//", "//demo:wrong@", 1) + "/new.git"} {
		if out, err := try(t, w, "push", url, "main"); err == nil {
			t.Errorf("pushed without a password: %s", out)
		}
	}
	if out, err := try(t, w, "push", "--dry-run", "origin", "main"); err != nil {
		t.Errorf("dry run: %v\n%s", err, out)
	}
	if out, err := try(t, w, "clone", h.pushURL+"/new.git", t.TempDir()); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("cloned what is not there: %v\n%s", err, out)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 1 {
		t.Errorf("in the folder: %v, %v", entries, err)
	}
	git(t, w, "push", "-q", "-u", "origin", "main")
	wantTip(t, w, "origin/main", tip, 1)
	d := t.TempDir()
	git(t, d, "clone", "-q", h.url+"/new.git", ".")
	if b := git(t, d, "branch", "--show-current"); b != "main" {
		t.Errorf("the clone is on %q", b)
	}
	// Only the first repository has the webhook.
	f := work(t, h, "fleet")
	fleet := commit(t, f, "fleet")
	git(t, f, "push", "-q", "origin", "main")
	if got := receive(t, accepted, "webhook"); got.event.After != fleet {
		t.Errorf("a webhook for %s", got.event.After)
	}
	h.Close()
	h = start(t, Config{Root: root, WebhookURL: url, WebhookToken: token})
	if got := git(t, w, "ls-remote", h.url+"/new.git", "main"); !strings.HasPrefix(got, tip) {
		t.Errorf("after the restart: %q", got)
	}
	git(t, f, "push", "-q", h.pushURL+"/fleet.git", "main:again")
	if got := receive(t, accepted, "webhook"); got.event.Ref != "refs/heads/again" {
		t.Errorf("after the restart, a webhook for %s of %s", got.event.Ref, got.event.Repository.Name)
	}
	for name, want := range map[string]string{
		"a%20b": "not a valid name", "..": "not a valid name", "-x": "not a valid name", "api": "of its own", "New": "already",
		strings.Repeat("n", 65): "65 characters", "x.lock": "ending",
	} {
		out, err := try(t, w, "push", h.pushURL+"/"+name+".git", "main")
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("push to %q: %v\n%s", name, err, out)
		}
	}
	if names := h.all(); fmt.Sprint(names) != "[fleet new]" {
		t.Errorf("repositories: %v", names)
	}
}

// TestCreateAtOnce pushes to one new repository from several clones: it is created once, and one push wins.
func TestCreateAtOnce(t *testing.T) {
	t.Parallel()
	h := start(t, Config{})
	const clients = 4
	var dirs []string
	for i := range clients {
		d := work(t, h, "new")
		commit(t, d, fmt.Sprint("client ", i))
		dirs = append(dirs, d)
	}
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i, d := range dirs {
		wg.Go(func() { _, errs[i] = try(t, d, "push", "origin", "main") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d pushes went through: %v", won, errs)
	}
}

// TestAPI creates and lists repositories, and refuses what a web page of others sends.
func TestAPI(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	h := start(t, Config{Root: root, WebhookURL: "http://127.0.0.1:1", WebhookToken: token})
	client := gitapi.Client{Address: h.url + "/fleet.git", User: "demo", Password: "secret"}
	made, err := client.Create(t.Context(), "apps")
	if err != nil || made.URL != h.url+"/apps.git" || made.Branch != "main" || made.Commit != "" || made.Webhook {
		t.Errorf("created %+v, %v", made, err)
	}
	w := work(t, h, "apps")
	tip := commit(t, w, "first")
	git(t, w, "push", "-q", "origin", "main")
	reader := gitapi.Client{Address: h.url}
	all, err := reader.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "fleet" || !all[0].Webhook || all[1].Name != "apps" || all[1].Commit != tip {
		t.Errorf("listed %+v, %v", all, err)
	}
	for name, want := range map[string]string{"apps": "already", "APPS": "already", "../x": "not a valid name", "": "not a valid name"} {
		if _, err := client.Create(t.Context(), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("create %q: %v", name, err)
		}
	}
	if _, err := reader.Create(t.Context(), "mine"); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("created without a password: %v", err)
	}
	body, _ := json.Marshal(map[string]string{"name": "foreign"})
	for name, header := range map[string]http.Header{
		"from another page":    {"Content-Type": {"application/json"}, "Origin": {"http://evil.example"}},
		"across sites":         {"Content-Type": {"application/json"}, "Sec-Fetch-Site": {"cross-site"}},
		"as a form could":      {"Content-Type": {"text/plain"}},
		"too much":             {"Content-Type": {"application/json"}, "X-Long": {"1"}},
		"from another port":    {"Content-Type": {"application/json"}, "Origin": {"http://127.0.0.1:1"}},
		"from the same domain": {"Content-Type": {"application/json"}, "Sec-Fetch-Site": {"same-site"}},
	} {
		sent := body
		if header.Get("X-Long") != "" {
			sent = []byte(`{"name":"` + strings.Repeat("x", 2*maxRequest) + `"}`)
		}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+gitapi.Path, bytes.NewReader(sent))
		req.Header = header
		req.SetBasicAuth("demo", "secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode < 400 || resp.StatusCode > 499 {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	for i := range mostRepositories {
		if _, err = client.Create(t.Context(), fmt.Sprintf("r%d", i)); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "limit") || len(h.all()) != mostRepositories {
		t.Errorf("%d repositories, %v", len(h.all()), err)
	}
	if out, err := try(t, w, "push", h.pushURL+"/more.git", "main"); err == nil || !strings.Contains(out, "limit") {
		t.Errorf("a push beyond the limit: %v\n%s", err, out)
	}
	h.Close()
	h = start(t, Config{Root: root})
	if len(h.all()) != mostRepositories {
		t.Errorf("after the restart: %d repositories", len(h.all()))
	}
}
