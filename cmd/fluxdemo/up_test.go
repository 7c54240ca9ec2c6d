package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/health"
)

// parts are the components of a demo, by the start of their names.
func parts() []string {
	return []string{
		"supervisor", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler",
		"source-controller", "kustomize-controller", "helm-controller", "notification-controller",
		"git", "inbox", "app",
	}
}

// fetch gets a page, which has to be there.
func fetch(url string) (body string, err error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, raw)
	}
	return string(raw), err
}

func pids(s health.Status) map[string]int {
	all := map[string]int{}
	for _, part := range s.Cluster.Components {
		all[part.Name] = part.PID
	}
	return all
}

func TestUp(t *testing.T) {
	d := sharedDemo(t)
	await(t, healTime, "all is well", d.healthy)
	before, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	d.sub(t, "status knows every part", func(t *testing.T) {
		if s := before.Cluster; !s.Running || s.Name != "fluxdemo" || s.Kubeconfig != d.kubeconfig() || !strings.HasPrefix(s.Server, "https://127.0.0.1:") {
			t.Errorf("the cluster: %+v", s)
		}
		for _, name := range parts() {
			part, err := component(before, name)
			if err != nil {
				t.Error(err)
				continue
			}
			if part.Version == "" || part.PID == 0 || part.Memory < 1<<20 || part.State != "Running" || part.Started.IsZero() || time.Since(part.Started) < 0 {
				t.Errorf("%s: %+v", name, part)
			}
		}
		table := d.must(t, "status")
		for _, want := range append(parts(), "receiver/flux-system", "gitrepository/flux-system", "kustomization/apps", before.URLs.App) {
			if !strings.Contains(table, want) {
				t.Errorf("the table lacks %s:\n%s", want, table)
			}
		}
		for _, line := range strings.Split(table, "\n") {
			if len([]rune(line)) > 80 {
				t.Errorf("wider than a terminal: %s", line)
			}
		}
	})
	d.sub(t, "the pages answer", func(t *testing.T) {
		for _, url := range []string{before.URLs.App, before.URLs.Inbox, before.URLs.Git + "/info/refs?service=git-upload-pack"} {
			if _, err := fetch(url); err != nil {
				t.Error(err)
			}
		}
	})
	d.sub(t, "a second up changes nothing", func(t *testing.T) {
		out := d.must(t, "up")
		after, err := d.status()
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(pids(before)) != fmt.Sprint(pids(after)) {
			t.Errorf("processes before: %v\nand after: %v", pids(before), pids(after))
		}
		for _, url := range []string{after.URLs.App, after.URLs.Git, after.URLs.Inbox} {
			if !strings.Contains(out, url) {
				t.Errorf("up does not tell %s:\n%s", url, out)
			}
		}
		if before.URLs != after.URLs {
			t.Errorf("URLs before: %v and after: %v", before.URLs, after.URLs)
		}
	})
	d.sub(t, "logs of every part", func(t *testing.T) {
		names := strings.Fields(d.must(t, "logs"))
		for _, want := range parts() {
			i := slices.IndexFunc(names, func(name string) bool {
				return strings.HasPrefix(name[strings.Index(name, "/")+1:], want)
			})
			if i < 0 {
				t.Errorf("no %s among %v", want, names)
				continue
			}
			// These two write only when something is the matter.
			if out := d.must(t, "logs", names[i]); out == "" && want != "etcd" && want != "supervisor" {
				t.Errorf("the log of %s is empty", names[i])
			}
		}
		if r := d.fluxdemo("logs", "nope"); r.code != 1 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "nope") {
			t.Errorf("a log that is not there: %v", r)
		}
	})
	d.sub(t, "everything listens on loopback", func(t *testing.T) {
		ports := 0
		for _, p := range processesIn(d.state()) {
			addrs, err := listens(p.pid)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it has ended: a kubectl of this moment
			}
			if err != nil {
				t.Errorf("%v: %v", p, err)
			}
			for _, addr := range addrs {
				if ports++; !addr.IP.IsLoopback() {
					t.Errorf("%v listens on %s", p, addr)
				}
			}
		}
		// The API server, the supervisor's own, three NodePorts, and pods'.
		if ports < 10 {
			t.Errorf("found only %d ports: the test does not see what it should", ports)
		}
	})
	d.sub(t, "keys and kubeconfigs are the user's alone", func(t *testing.T) { checkModes(t, d) })
	d.sub(t, "the user's own files are left alone", func(t *testing.T) {
		got, err := os.ReadFile(d.usersKubeconfig())
		if err != nil || string(got) != usersKubeconfig {
			t.Errorf("~/.kube/config: %v, now:\n%s", err, got)
		}
		entries, err := os.ReadDir(d.home())
		if err != nil || len(entries) != 1 {
			t.Errorf("in the home folder: %v, %v", entries, err)
		}
	})
	d.sub(t, "env is what a shell needs", func(t *testing.T) {
		r := d.run(nil, "/bin/sh", "-c", `eval "$(fluxdemo env)" && kubectl get nodes -o name && flux --version &&
			git ls-remote "$FLEET_URL" HEAD && echo "$APP_URL" "$INBOX_URL" && echo "$KUBECONFIG"`)
		for _, want := range []string{"node/fluxdemo", "flux version 2.", "HEAD", before.URLs.App + " " + before.URLs.Inbox, d.kubeconfig()} {
			if r.code != 0 || !strings.Contains(r.stdout, want) {
				t.Fatalf("want %s: %v", want, r)
			}
		}
		password := d.kubectl(t, "-n", "fluxdemo", "get", "secret", "git", "-o", "go-template={{.data.password|base64decode}}")
		if out := d.must(t, "env"); password == "" || strings.Contains(out, password) {
			t.Errorf("the password stands in the environment:\n%s", out)
		}
	})
	d.sub(t, "no secret stands in a log", func(t *testing.T) {
		for _, secret := range [][]string{{"fluxdemo", "git", "password"}, {"fluxdemo", "git", "webhook-token"}} {
			value := d.kubectl(t, "-n", secret[0], "get", "secret", secret[1], "-o", fmt.Sprintf("go-template={{index .data %q|base64decode}}", secret[2]))
			err := filepath.WalkDir(filepath.Join(d.cluster(), "logs"), func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				raw, err := os.ReadFile(path)
				if bytes.Contains(raw, []byte(value)) {
					t.Errorf("%s has the %s", path, secret[2])
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	d.sub(t, "egress is refused", func(t *testing.T) {
		if code, body := outside(t, d); code != http.StatusForbidden || !strings.Contains(body, "--allow-egress") {
			t.Errorf("%d: %s", code, body)
		}
	})
}

// checkModes looks at what other users of the machine could read.
func checkModes(t *testing.T, d *testDemo) {
	for _, dir := range []string{filepath.Dir(d.cluster()), d.cluster()} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	secret := 0
	err := filepath.WalkDir(d.cluster(), func(path string, entry fs.DirEntry, err error) error {
		// kubectl's cache holds what the API says about itself, in which tokens are explained.
		if err == nil && path == filepath.Join(d.cluster(), "home", ".kube", "cache") {
			return fs.SkipDir
		}
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil // gone in the meantime
		}
		if info.Size() > 1<<20 { // the database and artifacts, in folders that are the user's
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil // as above
		}
		for _, mark := range []string{"PRIVATE KEY", "client-key-data", `"token"`, "token:", "password="} {
			if bytes.Contains(raw, []byte(mark)) {
				if secret++; info.Mode().Perm() != 0o600 {
					t.Errorf("%s has a %s and mode %v", path, mark, info.Mode())
				}
				break
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(d.kubeconfig()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig: %v, %v", info.Mode(), err)
	}
	if secret < 8 {
		t.Errorf("found only %d secret files: the test does not see what it should", secret)
	}
}

// TestTwoClusters lets a second cluster come and go beside the first.
func TestTwoClusters(t *testing.T) {
	one := sharedDemo(t)
	// The same user: the same folders, another name.
	two := &testDemo{dir: one.dir, name: "second", kind: one.kind, bundle: one.bundle}
	t.Cleanup(func() {
		if _, err := os.Stat(two.cluster()); err == nil {
			if err := two.fluxdemo("down").err(); err != nil {
				t.Error(err)
			}
		}
	})
	two.logsOnFailure(t)

	t.Run("a port that is in use", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		port := listener.Addr().(*net.TCPAddr).Port
		r := two.fluxdemo("up", fmt.Sprintf("--port=%d", port))
		want := fmt.Sprintf("port %d is in use; free it, or choose another one with --port\n", port)
		if r.code != exitFailure || strings.Count(r.stderr, "\n") != 1 || !strings.HasSuffix(r.stderr, want) || r.stdout != "" {
			t.Errorf("want one line, %q: %v", want, r)
		}
		if _, err := os.Stat(two.cluster()); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", two.cluster(), err)
		}
		await(t, healTime, "no process is left", func() error { return gone(two.cluster()) })
	})

	// Twice at once: one brings it up, the other one says so at once.
	t.Run("up twice at once", func(t *testing.T) {
		results := make(chan result, 2)
		for range cap(results) {
			go func() { results <- two.fluxdemo("up") }()
		}
		first, second := <-results, <-results
		if first.code != exitFailure || strings.Count(first.stderr, "\n") != 1 ||
			!strings.Contains(first.stderr, `another fluxdemo is changing the cluster "second"; wait until it has finished`) {
			t.Errorf("the one that came late: %v", first)
		}
		if second.code != 0 {
			t.Fatalf("the one that was first: %v", second)
		}
		await(t, healTime, "the second is well", two.healthy)
	})

	t.Run("side by side", func(t *testing.T) {
		a, err := one.status()
		if err != nil {
			t.Fatal(err)
		}
		b, err := two.status()
		if err != nil {
			t.Fatal(err)
		}
		ports := map[string]bool{}
		for _, url := range []string{
			a.Cluster.Server, a.URLs.App, a.URLs.Git, a.URLs.Inbox,
			b.Cluster.Server, b.URLs.App, b.URLs.Git, b.URLs.Inbox,
		} {
			ports[url[strings.LastIndex(url, "127.0.0.1:"):]] = true
		}
		if len(ports) != 8 {
			t.Errorf("some of them share a port: %v", ports)
		}
		for _, d := range []*testDemo{one, two} {
			await(t, healTime, "all is well", d.healthy)
		}
		two.kubectl(t, "create", "configmap", "only-in-the-second")
		if r := one.kube("get", "configmap", "only-in-the-second"); r.code == 0 {
			t.Errorf("one cluster sees the objects of the other: %v", r)
		}
	})

	t.Run("down of one leaves the other", func(t *testing.T) {
		before, err := one.status()
		if err != nil {
			t.Fatal(err)
		}
		checkDown(t, two)
		after, err := one.status()
		if err != nil {
			t.Fatal(err)
		}
		if !after.Healthy() || fmt.Sprint(pids(before)) != fmt.Sprint(pids(after)) {
			t.Errorf("the first: processes before %v and after %v, healthy: %v", pids(before), pids(after), after.Healthy())
		}
	})
}

// checkDown removes a cluster and looks for what is left of it.
func checkDown(t *testing.T, d *testDemo) {
	t.Helper()
	var addrs []string
	for _, p := range processesIn(d.cluster()) {
		listening, err := listens(p.pid)
		if err != nil {
			t.Error(err)
		}
		for _, addr := range listening {
			addrs = append(addrs, addr.String())
		}
	}
	if len(addrs) == 0 {
		t.Error("the cluster that is to go down listens nowhere")
	}
	d.must(t, "down")
	await(t, lastGasp, "no process is left", func() error { return gone(d.cluster()) })
	for _, addr := range addrs {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("a port is left: %v", err)
			continue
		}
		listener.Close()
	}
	left, err := filepath.Glob(filepath.Join(d.state(), "fluxdemo", "*"+d.name+"*"))
	if hidden, _ := filepath.Glob(filepath.Join(d.state(), "fluxdemo", "."+d.name+"*")); err != nil || len(left)+len(hidden) > 0 {
		t.Errorf("files are left: %v %v %v", left, hidden, err)
	}
	if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stderr, "there is no cluster") {
		t.Errorf("status of a cluster that is gone: %v", r)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}
