package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/embedded"
	"github.com/fluxdemo/fluxdemo/clusters/kind"
	"github.com/fluxdemo/fluxdemo/demo/health"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
)

// nodeImageVar names the environment variable that makes the suite run on
// kind too: the node image to use. `make test-kind` sets it.
const nodeImageVar = "FLUXDEMO_TEST_NODE_IMAGE"

// TestConformance does the same on every provider, and expects the
// same. It brings up a cluster of its own, since the suite ends with its end.
func TestConformance(t *testing.T) {
	t.Parallel() // or all tests would wait for its subtests
	t.Run(embedded.Provider, func(t *testing.T) { conform(t, ownDemo(t)) })
	t.Run(kind.Provider, func(t *testing.T) { conform(t, kindDemo(t)) })
}

// kindDemo returns a home for a kind cluster, which is not up. Where there is
// no node image for it, the test is skipped, and says so.
func kindDemo(t *testing.T) *testDemo {
	t.Helper()
	nodeImage := os.Getenv(nodeImageVar)
	if nodeImage == "" {
		t.Skipf("NOT TESTED ON KIND: %s names no node image; `make test-kind` makes one", nodeImageVar)
	}
	return ownDemo(t, func(d *testDemo) {
		d.kind, d.upArgs = kind.Provider, []string{"--node-image=" + nodeImage}
		// Its containers are seen by everybody who uses the engine.
		d.name = fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixMilli()%100000)
	})
}

// instance is the demo's cluster as the program has it.
func (d *testDemo) instance(t *testing.T) clusters.Cluster {
	t.Helper()
	state := filepath.Dir(d.cluster())
	var c clusters.Cluster
	var err error
	if d.kind == kind.Provider {
		c, err = kind.New(d.name, kind.Options{StateDir: state})
	} else {
		c, err = embedded.New(d.name, embedded.Options{StateDir: state})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// conform is the suite.
func conform(t *testing.T, d *testDemo) {
	if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stderr, "there is no cluster") {
		t.Fatalf("status before there is a cluster: %v", r)
	}
	start := time.Now()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	t.Logf("up in %.1f s", time.Since(start).Seconds())
	await(t, healTime, "all is well", d.healthy)
	before, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	d.sub(t, "status", func(t *testing.T) { conformStatus(t, d, before) })
	d.sub(t, "a second up changes nothing", func(t *testing.T) { conformIdempotent(t, d, before) })
	d.sub(t, "kubectl", func(t *testing.T) { conformKubectl(t, d) })
	d.sub(t, "workload", func(t *testing.T) { conformWorkload(t, d) })
	d.sub(t, "service names", func(t *testing.T) { conformServiceNames(t, d) })
	if d.kind != embedded.Provider { // there, TestHostileTogether runs all of them, and TestLearn each of their steps
		d.sub(t, "every walk", func(t *testing.T) { conformWalks(t, d) })
	}
	d.sub(t, "reset", func(t *testing.T) { conformReset(t, d) })
	d.sub(t, "down with the data kept", func(t *testing.T) { conformKeepsData(t, d, before) })
	d.sub(t, "down", func(t *testing.T) { conformDown(t, d, before) })
}

func conformStatus(t *testing.T, d *testDemo, now health.Status) {
	if s := now.Cluster; !s.Running || s.Provider != d.kind || s.Name != d.name || s.Kubeconfig != d.kubeconfig() || !strings.HasPrefix(s.Server, "https://127.0.0.1:") {
		t.Errorf("the cluster: %+v", s)
	}
	names := d.must(t, "logs")
	for _, name := range parts() {
		if name == "supervisor" {
			continue // of embedded clusters alone
		}
		part, err := component(now, name)
		if err != nil {
			t.Error(err)
			continue
		}
		if part.Version == "" || part.State != "Running" || part.Started.IsZero() {
			t.Errorf("%s: %+v", name, part)
		}
		if !strings.Contains(names, name) {
			t.Errorf("logs does not list %s:\n%s", name, names)
		}
		if out := d.must(t, "logs", name); out == "" && name != "etcd" { // etcd writes only when something is the matter
			t.Errorf("the log of %s is empty", name)
		}
	}
	for _, url := range []string{now.URLs.App, now.URLs.Inbox, now.URLs.Git + "/info/refs?service=git-upload-pack"} {
		if !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Errorf("%s is not of this machine alone", url)
		}
		if _, err := fetch(url); err != nil {
			t.Error(err)
		}
	}
	for _, line := range strings.Split(d.must(t, "status"), "\n") {
		if len([]rune(line)) > 80 {
			t.Errorf("wider than a terminal: %s", line)
		}
	}
	if got, err := os.ReadFile(d.usersKubeconfig()); err != nil || string(got) != usersKubeconfig {
		t.Errorf("~/.kube/config: %v, now:\n%s", err, got)
	}
	if info, err := os.Stat(d.kubeconfig()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig: %v, %v", info.Mode(), err)
	}
}

// containers tells which pods there are, and how often their containers
// were started.
func containers(t *testing.T, d *testDemo) string {
	t.Helper()
	return d.kubectl(t, "get", "pods", "-A", "--sort-by=.metadata.uid", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount}{"\n"}{end}`)
}

func conformIdempotent(t *testing.T, d *testDemo, before health.Status) {
	pods := containers(t, d)
	out := d.must(t, "up")
	if after := containers(t, d); after != pods {
		t.Errorf("pods before:\n%s\nand after:\n%s", pods, after)
	}
	after, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	if before.URLs != after.URLs || before.Cluster.Server != after.Cluster.Server {
		t.Errorf("URLs before: %v and after: %v", before.URLs, after.URLs)
	}
	for _, url := range []string{after.URLs.App, after.URLs.Git, after.URLs.Inbox} {
		if !strings.Contains(out, url) {
			t.Errorf("up does not tell %s:\n%s", url, out)
		}
	}
}

// conformServiceNames has a pod of Flux use the name of a Service that is
// new.
func conformServiceNames(t *testing.T, d *testDemo) {
	apply(t, d, `apiVersion: v1
kind: Service
metadata: {name: alias, namespace: fluxdemo}
spec:
  selector: {app.kubernetes.io/name: git}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: alias, namespace: flux-system}
spec: {interval: 1h, url: "http://alias.fluxdemo.svc.cluster.local/fleet.git", ref: {branch: main}}
`)
	t.Cleanup(func() {
		d.kubectl(t, "-n", "flux-system", "delete", "gitrepository/alias", "--timeout=60s")
		d.kubectl(t, "-n", "fluxdemo", "delete", "service/alias", "--timeout=60s")
	})
	d.kubectl(t, "-n", "flux-system", "wait", "gitrepository/alias", "--for=condition=Ready", "--timeout=60s")
}

// conformWalks runs each walk once, in random order.
func conformWalks(t *testing.T, d *testDemo) {
	before := tree(t, d)
	names := builtin.Names()
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	t.Logf("the order: %s", strings.Join(names, ", "))
	for _, name := range names {
		d.sub(t, name, func(t *testing.T) {
			if out := d.must(t, "walk", name, "--auto"); strings.Contains(out, "✗") {
				t.Error(out)
			}
		})
	}
	if after := tree(t, d); after != before {
		t.Errorf("the repository holds %s after the walks, %s before", after, before)
	}
	await(t, healTime, "all is well", d.healthy)
}

func conformReset(t *testing.T, d *testDemo) {
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	dir := clone(t, d, "fleet")
	root := d.git(t, dir, "rev-list", "--max-parents=0", "HEAD")
	edit(t, filepath.Join(dir, "apps", "demo", "app", "app.env"), "MESSAGE=Hello from Git", "MESSAGE=Not for long")
	d.git(t, dir, "commit", "-q", "-a", "-m", "Say something that does not last")
	d.git(t, dir, "push", "-q")
	pageHas(t, d, s.URLs.App, "Not for long")
	d.must(t, "reset")
	if now := head(t, d); now != root {
		t.Errorf("main is %s, want the first commit %s", now, root)
	}
	pageHas(t, d, s.URLs.App, "Hello from Git")
	await(t, healTime, "all is well", d.healthy)
}

func conformKeepsData(t *testing.T, d *testDemo, before health.Status) {
	same := lasting(t, d, before)
	d.must(t, "down", "--keep-data")
	if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stdout, "is stopped") {
		t.Errorf("status of a cluster that is stopped: %v", r)
	}
	start := time.Now()
	d.must(t, "up")
	t.Logf("up again in %.1f s", time.Since(start).Seconds())
	same(t)
}

func conformDown(t *testing.T, d *testDemo, before health.Status) {
	d.must(t, "down")
	if _, err := os.Stat(d.cluster()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", d.cluster(), err)
	}
	await(t, healTime, "no process is left", func() error { return gone(d.cluster()) })
	for _, url := range []string{before.Cluster.Server, before.URLs.App, before.URLs.Inbox} {
		listener, err := net.Listen("tcp", url[strings.Index(url, "127.0.0.1:"):])
		if err != nil {
			t.Errorf("a port is left: %v", err)
			continue
		}
		listener.Close()
	}
	if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stderr, "there is no cluster") {
		t.Errorf("status of a cluster that is gone: %v", r)
	}
}

// TestNoBranchOnKind looks for what would make a demo or a walk behave in
// another way on another provider.
func TestNoBranchOnKind(t *testing.T) {
	code := regexp.MustCompile(`clusters/(kind|embedded|existing)"|"(embedded|existing)"|[cC]luster\.Provider\b`)
	text := regexp.MustCompile(`(?i)\bembedded\b|\bkind cluster|--cluster\b|\bdocker\b|\bpodman\b|\bkind (create|load|get)\b`)
	seen := 0
	err := filepath.WalkDir(filepath.Join("..", "..", "demo"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		forbidden := map[string]*regexp.Regexp{".go": code, ".md": text}[filepath.Ext(path)]
		if forbidden == nil {
			return nil
		}
		seen++
		raw, err := os.ReadFile(path)
		for i, line := range strings.Split(string(raw), "\n") {
			if filepath.Ext(path) == ".go" {
				line, _, _ = strings.Cut(line, "//")
			}
			if found := forbidden.FindString(line); found != "" {
				t.Errorf("%s:%d: %s", path, i+1, found)
			}
		}
		return err
	})
	if err != nil || seen < 50 {
		t.Errorf("looked into %d files, %v", seen, err)
	}
}
