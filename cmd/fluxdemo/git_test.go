package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clone makes a working copy with `fluxdemo clone`.
func clone(t *testing.T, d *testDemo, name string) (dir string) {
	t.Helper()
	dir = filepath.Join(d.work(), fmt.Sprintf("%s-%d", name, time.Now().UnixNano()))
	d.must(t, "clone", dir)
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// edit replaces text in a file of a working copy, which has to be there.
func edit(t *testing.T, file, old, new string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte(old)) {
		t.Fatalf("%s lacks %q:\n%s", file, old, raw)
	}
	if err := os.WriteFile(file, bytes.Replace(raw, []byte(old), []byte(new), 1), 0o644); err != nil {
		t.Fatal(err)
	}
}

// head is the commit that main has on the Git host, without asking git's
// configuration.
func head(t *testing.T, d *testDemo) string {
	t.Helper()
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	r := d.run(nil, all.git, "ls-remote", s.URLs.Git, "refs/heads/main")
	commit, _, ok := strings.Cut(r.stdout, "\t")
	if r.code != 0 || !ok {
		t.Fatal(r)
	}
	return commit
}

// tree is what main holds on the Git host, whatever way it came there.
func tree(t *testing.T, d *testDemo) string {
	t.Helper()
	return d.git(t, clone(t, d, "look"), "rev-parse", "HEAD^{tree}")
}

// applied waits until Flux has applied a commit.
func applied(t *testing.T, d *testDemo, kustomization, commit string) {
	t.Helper()
	d.kubectl(t, "-n", "flux-system", "wait", "kustomization/"+kustomization, "--timeout=60s",
		"--for=jsonpath={.status.lastAppliedRevision}=main@sha1:"+commit)
}

// pageHas waits until the app's page has a text.
func pageHas(t *testing.T, d *testDemo, app, text string) {
	t.Helper()
	d.must(t, "wait", "page", app, "--contains="+text, "--timeout="+healTime.String())
}

func TestWalk(t *testing.T) {
	d := sharedDemo(t)
	before := tree(t, d)
	for _, name := range []string{"first", "second"} {
		d.sub(t, name+" time", func(t *testing.T) {
			out := d.must(t, "walk", "gitops", "--auto")
			for _, want := range []string{"Change the colour and push", "✓ the page is tomato", "ReconciliationSucceeded", "✓ Cleanup", "10 steps in "} {
				if !strings.Contains(out, want) {
					t.Errorf("the walk does not say %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "✗") || strings.Contains(out, "\x1b[") {
				t.Errorf("a failure, or colours although nobody looks:\n%s", out)
			}
		})
	}
	d.sub(t, "ended by Ctrl-C half way", func(t *testing.T) {
		r := watched(t, d, []string{"walk", "gitops", "--auto"}, "See it on the page", func(walk *os.Process) error {
			return walk.Signal(os.Interrupt)
		})
		if r.code != 130 || !strings.Contains(r.stderr, "✓ Cleanup") || lastLine(r.stderr) != "fluxdemo: interrupted" {
			t.Error(r)
		}
		if left, err := filepath.Glob(filepath.Join(d.cluster(), "walks", "gitops", "*")); err != nil || len(left) > 0 {
			t.Errorf("left in the work folder: %v, %v", left, err)
		}
		applied(t, d, "apps", head(t, d))
	})
	if after := tree(t, d); after != before {
		t.Errorf("the repository holds %s after the walk, %s before", after, before)
	}
	await(t, healTime, "all is well", d.healthy)
}

func TestPush(t *testing.T) {
	d := sharedDemo(t)
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	d.sub(t, "clone without a password", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "anonymous")
		d.git(t, d.work(), "clone", "-q", s.URLs.Git, dir)
		if _, err := os.Stat(filepath.Join(dir, "apps", "demo", "app", "app.env")); err != nil {
			t.Error(err)
		}
	})
	d.sub(t, "push with a wrong password is refused", func(t *testing.T) {
		before := head(t, d)
		dir := clone(t, d, "wrong")
		d.git(t, dir, "commit", "-q", "--allow-empty", "-m", "Not mine to push")
		for name, user := range map[string]*url.Userinfo{
			"wrong": url.UserPassword("demo", "wrong"), "empty": url.UserPassword("demo", ""), "none": nil,
		} {
			address, err := url.Parse(s.URLs.Git)
			if err != nil {
				t.Fatal(err)
			}
			address.User = user
			r := d.run(nil, all.git, "-C", dir, "-c", "credential.helper=", "push", address.String(), "main")
			if r.code == 0 || !strings.Contains(r.stderr, "Authentication failed") && !strings.Contains(r.stderr, "could not read Username") {
				t.Errorf("%s: %v", name, r)
			}
		}
		if after := head(t, d); after != before {
			t.Errorf("main is %s, it was %s", after, before)
		}
	})
	d.sub(t, "a clone is ready to push, and the page shows it", func(t *testing.T) {
		dir := clone(t, d, "fleet")
		env := filepath.Join(dir, "apps", "demo", "app", "app.env")
		edit(t, env, "MESSAGE=Hello from Git", "MESSAGE=Pushed by a test")
		d.git(t, dir, "commit", "-q", "-a", "-m", "Say something else")
		start := time.Now()
		d.git(t, dir, "push", "-q")
		pageHas(t, d, s.URLs.App, "Pushed by a test")
		t.Logf("on the page after %.1f s", time.Since(start).Seconds())
		d.git(t, dir, "revert", "--no-edit", "HEAD")
		d.git(t, dir, "push", "-q")
		applied(t, d, "apps", d.git(t, dir, "rev-parse", "HEAD"))
		pageHas(t, d, s.URLs.App, "Hello from Git")
	})
}

// podsProxy is the way into the cluster's network that its pods have.
func podsProxy(t *testing.T, d *testDemo) *url.URL {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", d.pid(t, "source-controller")))
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range strings.Split(string(raw), "\x00") {
		if value, ok := strings.CutPrefix(variable, "HTTP_PROXY="); ok {
			proxy, err := url.Parse(value)
			if err != nil {
				t.Fatal(err)
			}
			return proxy
		}
	}
	t.Fatal("the pods have no proxy")
	return nil
}

// outside asks for a page of the world beyond this machine, as a pod would.
func outside(t *testing.T, d *testDemo) (code int, body string) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(podsProxy(t, d))}}
	response, err := client.Get("http://fluxdemo.invalid/") // there is none; what counts is who says so
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(raw)
}

// TestWebhook sends what the Git host would send, with wrong signatures.
func TestWebhook(t *testing.T) {
	d := sharedDemo(t)
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: http.ProxyURL(podsProxy(t, d))}}
	path := d.kubectl(t, "-n", "flux-system", "get", "receiver", "flux-system", "-o", "jsonpath={.status.webhookPath}")
	asked := func() string {
		return d.kubectl(t, "-n", "flux-system", "get", "gitrepository", "flux-system", "-o",
			`jsonpath={.metadata.annotations.reconcile\.fluxcd\.io/requestedAt} {.status.lastHandledReconcileAt} {.metadata.resourceVersion}`)
	}
	before := asked()
	const body = `{"ref":"refs/heads/main","zen":"Anything added dilutes everything else."}`
	for _, test := range []struct {
		name, path, signature string
		want                  int
	}{
		{"no signature", path, "", http.StatusBadRequest},
		{"no hex", path, "sha256=forged", http.StatusBadRequest},
		{"of another key", path, "sha256=" + strings.Repeat("5e", 32), http.StatusBadRequest},
		{"of an old kind", path, "sha1=" + strings.Repeat("5e", 20), http.StatusBadRequest},
		{"of another path", "/hook/" + strings.Repeat("5e", 32), "sha256=" + strings.Repeat("5e", 32), http.StatusNotFound},
	} {
		d.sub(t, test.name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(context.Background(), http.MethodPost,
				"http://webhook-receiver.flux-system.svc.cluster.local"+test.path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("X-GitHub-Event", "push")
			if test.signature != "" {
				request.Header.Set("X-Hub-Signature-256", test.signature)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body)
			if response.StatusCode != test.want {
				t.Errorf("%s, want %d: %s", response.Status, test.want, text)
			}
		})
	}
	if after := asked(); after != before {
		t.Errorf("the GitRepository was asked to reconcile: %q, before: %q", after, before)
	}
}

// TestBrokenManifest pushes one that the cluster refuses, and takes it back.
func TestBrokenManifest(t *testing.T) {
	d := sharedDemo(t)
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	before, err := fetch(s.URLs.App)
	if err != nil {
		t.Fatal(err)
	}
	dir := clone(t, d, "broken")
	edit(t, filepath.Join(dir, "apps", "demo", "app", "app.env"), "MESSAGE=Hello from Git", "MESSAGE=Never to be seen")
	edit(t, filepath.Join(dir, "apps", "base", "app", "deployment.yaml"), "replicas: 1", "replicas: minus one")
	d.git(t, dir, "commit", "-q", "-a", "-m", "Break the app")
	d.git(t, dir, "push", "-q")
	commit := d.git(t, dir, "rev-parse", "HEAD")
	d.kubectl(t, "-n", "flux-system", "wait", "kustomization/apps", "--timeout=60s", "--for=condition=Ready=False")

	d.sub(t, "status names the object and the reason", func(t *testing.T) {
		await(t, healTime, "status tells it", func() error {
			r := d.fluxdemo("status")
			if r.code != exitFailure || !strings.Contains(r.stdout, "kustomization/apps is not ready:") ||
				!strings.Contains(r.stdout, "Deployment/app/app") || !strings.Contains(r.stdout, "replicas") {
				return fmt.Errorf("%v", r)
			}
			return nil
		})
		now, err := d.status()
		if err != nil || now.Healthy() {
			t.Fatalf("healthy: %v, %v", now.Healthy(), err)
		}
		for _, object := range now.Objects {
			if sick := object.Kind == "Kustomization" && object.Name == "apps"; sick != (object.Ready == "False") {
				t.Errorf("%+v", object)
			}
		}
	})
	d.sub(t, "the inbox has the bad news", func(t *testing.T) {
		d.must(t, "wait", "notification", s.URLs.Inbox, "--severity=error", "--object=apps", "--revision=main@sha1:"+commit, "--timeout=60s")
	})
	d.sub(t, "the app goes on serving", func(t *testing.T) {
		now, err := fetch(s.URLs.App)
		if err != nil || !strings.Contains(now, "Hello from Git") || strings.Contains(now, "Never") {
			t.Errorf("the page: %v\n%s\nbefore:\n%s", err, now, before)
		}
	})
	d.sub(t, "a revert heals it", func(t *testing.T) {
		d.git(t, dir, "revert", "--no-edit", "HEAD")
		d.git(t, dir, "push", "-q")
		applied(t, d, "apps", d.git(t, dir, "rev-parse", "HEAD"))
		await(t, healTime, "all is well", d.healthy)
	})
}
