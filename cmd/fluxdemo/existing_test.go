package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/existing"
)

// noSteps implements clusters.Steps and shows nothing.
type noSteps struct{}

func (noSteps) Start(string) func(error) { return func(error) {} }

// newHost brings up a cluster with nothing on it, which belongs to somebody
// else as far as fluxdemo knows.
func newHost(t *testing.T) *testDemo {
	t.Helper()
	host := ownDemo(t, func(d *testDemo) { d.dir, d.name = d.dir+"-host", "host" })
	startHost(t, host)
	return host
}

// startHost starts a cluster that newHost has made.
func startHost(t *testing.T, host *testDemo) {
	t.Helper()
	cluster, err := embedded.New(host.name, embedded.Options{
		StateDir: filepath.Dir(host.cluster()), Stamp: filepath.Join(host.cache(), "verified"), Program: all.program, BundleDir: host.bundle.Dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	if err := cluster.Up(ctx, noSteps{}, func() {}); err != nil {
		t.Fatal(err)
	}
	// What its controllers make of an empty cluster, some of it after the node
	// is ready: a test compares all that is there before and after.
	await(t, healTime, "the host's controllers have furnished it", func() error {
		namespaces := strings.Fields(host.kubectl(t, "get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}"))
		made := strings.Fields(host.kubectl(t, "get", "serviceaccounts,configmaps", "-A", "-o",
			`jsonpath={range .items[*]}{.metadata.namespace}/{.kind}/{.metadata.name}{"\n"}{end}`))
		for _, namespace := range append(namespaces, "kube-node-lease", "kube-public", "kube-system") {
			for _, want := range []string{"ServiceAccount/default", "ConfigMap/kube-root-ca.crt"} {
				if !slices.Contains(made, namespace+"/"+want) {
					return fmt.Errorf("%s has no %s", namespace, want)
				}
			}
		}
		// The annotation of the TTL controller and the rules of aggregated roles are changes of what is there.
		ttl := host.kubectl(t, "get", "nodes", "-o", `jsonpath={.items[*].metadata.annotations.node\.alpha\.kubernetes\.io/ttl}`)
		rules := host.kubectl(t, "get", "clusterroles", "admin", "edit", "view", "-o", `jsonpath={range .items[*]}{.rules[0].verbs[0]} {end}`)
		if ttl == "" || len(strings.Fields(rules)) != 3 {
			return fmt.Errorf("the node's TTL is %q, roles may %q", ttl, rules)
		}
		return nil
	})
}

// guestOf returns a demo that is to be a guest on another cluster.
func guestOf(t *testing.T, host *testDemo) *testDemo {
	t.Helper()
	return ownDemo(t, func(d *testDemo) {
		d.kind, d.name = existing.Provider, "guest"
		d.upArgs = []string{"--kubeconfig=" + host.kubeconfig(), "--context=" + controlplane.ContextName, "--yes"}
	})
}

// objects lists everything on a cluster that somebody has put there.
func objects(t *testing.T, d *testDemo) string {
	t.Helper()
	kinds := strings.Fields(d.kubectl(t, "api-resources", "--verbs=list,delete", "-o", "name"))
	kinds = without(kinds, "events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io")
	return d.kubectl(t, "get", strings.Join(kinds, ","), "-A", "--ignore-not-found", "--sort-by=.metadata.uid", "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.namespace} {.metadata.name} {.metadata.uid}{"\n"}{end}`)
}

func without(list []string, unwanted ...string) (wanted []string) {
	for _, each := range list {
		if !strings.Contains(" "+strings.Join(unwanted, " ")+" ", " "+each+" ") {
			wanted = append(wanted, each)
		}
	}
	return wanted
}

// TestExisting puts a demo on a cluster that is there, uses it, and takes it
// away again.
func TestExisting(t *testing.T) {
	host := newHost(t)
	host.kubectl(t, "create", "namespace", "theirs")
	host.kubectl(t, "-n", "theirs", "create", "configmap", "precious")
	before := objects(t, host)
	kubeconfig, err := os.ReadFile(host.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	d := guestOf(t, host)

	d.sub(t, "what it refuses", func(t *testing.T) { refuses(t, d, host) })
	if t.Failed() {
		return
	}
	start := time.Now()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	t.Logf("up in %.1f s", time.Since(start).Seconds())
	await(t, healTime, "all is well", d.healthy)
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	d.sub(t, "a kubeconfig of its own", func(t *testing.T) {
		info, err := os.Stat(d.kubeconfig())
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		if now, err := os.ReadFile(host.kubeconfig()); err != nil || string(now) != string(kubeconfig) {
			t.Errorf("the user's was written to: %v", err)
		}
	})
	d.sub(t, "labels on everything", func(t *testing.T) { labelled(t, d, before) })
	d.sub(t, "a second up changes nothing", func(t *testing.T) { conformIdempotent(t, d, s) })
	d.sub(t, "service names", func(t *testing.T) { conformServiceNames(t, d) })
	d.sub(t, "reconcile", func(t *testing.T) {
		d.must(t, "reconcile", "kustomization/apps", "--with-source")
		file := filepath.Join(t.TempDir(), "theirs.yaml")
		if err := os.WriteFile(file, []byte("apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: theirs}\n"+
			"spec: {interval: 1h, suspend: true, url: http://127.0.0.1:1/theirs.git}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		host.kubectl(t, "-n", "theirs", "apply", "-f", file)
		r := d.fluxdemo("reconcile", "-n", "theirs", "gitrepository/theirs")
		if r.code != exitUsage || !strings.Contains(r.stderr, "is not this demo's") {
			t.Errorf("an object of others: %v", r)
		}
		if asked := host.kubectl(t, "-n", "theirs", "get", "gitrepository", "theirs", "-o", "jsonpath={.metadata.annotations}"); strings.Contains(asked, "requestedAt") {
			t.Errorf("it was asked for: %s", asked)
		}
		host.kubectl(t, "-n", "theirs", "delete", "gitrepository", "theirs")
	})
	d.sub(t, "reset", func(t *testing.T) { conformReset(t, d) })
	d.sub(t, "the port forwarder", func(t *testing.T) { forwards(t, d) })
	d.sub(t, "down", func(t *testing.T) {
		r := d.run(nil, all.program, "down", "--name="+d.name)
		if r.code != exitUsage || !strings.Contains(r.stderr, "--yes") || !strings.Contains(r.stderr, "namespace/flux-system") || !strings.Contains(r.stderr, "app deployment/app") {
			t.Errorf("without --yes and a terminal: %v", r)
		}
		await(t, healTime, "all is well", d.healthy)
		s.Cluster.Server = s.URLs.App // the API server stays
		conformDown(t, d, s)
		if after := objects(t, host); after != before {
			t.Errorf("on the cluster before:\n%s\nand after:\n%s", before, after)
		}
	})
}

// refuses tries what must not be done to somebody's cluster.
func refuses(t *testing.T, d, host *testDemo) {
	named := "--kubeconfig=" + host.kubeconfig()
	context := "--context=" + controlplane.ContextName
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no context", []string{named, "--yes"}, exitUsage, "--context; valid values: " + controlplane.ContextName},
		{"a context that is not there", []string{named, "--context=prod", "--yes"}, exitUsage, `no context "prod"`},
		{"no kubeconfig", []string{"--kubeconfig=/nowhere", context, "--yes"}, exitUsage, "/nowhere"},
		{"no terminal", []string{named, context}, exitUsage, "--yes"},
		{"flags of another kind", []string{named, context, "--yes", "--allow-egress"}, exitUsage, "--allow-egress"},
	} {
		r := d.run(nil, all.program, append([]string{"up", "--cluster=existing", "--name=" + d.name}, test.args...)...)
		if r.code != test.code || !strings.Contains(r.stderr, test.want) {
			t.Errorf("%s: want %q: %v", test.name, test.want, r)
		}
	}
	host.kubectl(t, "create", "namespace", "app")
	if r := d.fluxdemo("up"); r.code != exitFailure || !strings.Contains(r.stderr, "namespaces that the demo would use: app") {
		t.Errorf("a namespace that is taken: %v", r)
	}
	host.kubectl(t, "delete", "namespace", "app", "--timeout=60s")
	if _, err := os.Stat(d.cluster()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has left %s: %v", d.cluster(), err)
	}
}

// labelled checks that whatever is new on the cluster says whose it is: the
// demo's, Flux's, or something that Kubernetes has made for those.
func labelled(t *testing.T, d *testDemo, before string) {
	out := d.kubectl(t, "get", "crd,clusterrole,clusterrolebinding,ns,deploy,svc,netpol,secret,quota,gitrepository,kustomization,receiver,alert,provider", "-A", "-o",
		`jsonpath={range .items[*]}{.kind} {.metadata.namespace} {.metadata.name} {.metadata.uid} [{.metadata.labels}]{"\n"}{end}`)
	seen := 0
	for _, line := range strings.Split(out, "\n") {
		name, labels, _ := strings.Cut(line, " [")
		if line == "" || strings.Contains(before, name) {
			continue
		}
		seen++
		if !strings.Contains(labels, "fluxdemo.github.io/name") && !strings.Contains(labels, `"app.kubernetes.io/managed-by":"fluxdemo"`) &&
			!strings.Contains(labels, "kustomize.toolkit.fluxcd.io/name") {
			t.Errorf("%s: %s", name, labels)
		}
	}
	if seen < 30 {
		t.Errorf("only %d objects are new", seen)
	}
}

// forwards has the forwarder lose the pod, and the process be killed.
func forwards(t *testing.T, d *testDemo) {
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	d.kubectl(t, "-n", "app", "delete", "pod", "-l", "app.kubernetes.io/name=app", "--timeout=60s")
	pageHas(t, d, s.URLs.App, "Hello from Git")

	pid := d.pid(t, "port-forward")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, healTime, "status tells it", func() error {
		if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stdout, "is stopped") {
			return fmt.Errorf("%v", r)
		}
		return nil
	})
	d.must(t, "up")
	after, err := d.status()
	if err != nil || after.URLs != s.URLs {
		t.Errorf("URLs before: %v and after: %v, %v", s.URLs, after.URLs, err)
	}
	pageHas(t, d, s.URLs.App, "Hello from Git")

	d.must(t, "down", "--keep-data")
	if _, err := fetch(s.URLs.App); err == nil {
		t.Error("the page answers though the forwarder is to have ended")
	}
	d.kubectl(t, "-n", "app", "get", "deployment", "app")
	d.must(t, "up")
	await(t, healTime, "all is well", d.healthy)
}
