package main

import (
	"path/filepath"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/health"
)

// lasting puts an object into the cluster, and a commit into the fleet. The returned function looks whether both are
// still there, at the addresses of before.
func lasting(t *testing.T, d *testDemo, before health.Status) (same func(t *testing.T)) {
	t.Helper()
	d.kubectl(t, "create", "configmap", "mine", "--from-literal=key=value")
	uid := d.kubectl(t, "get", "configmap", "mine", "-o", "jsonpath={.metadata.uid}")
	dir := clone(t, d, "fleet")
	edit(t, filepath.Join(dir, "apps", "demo", "app", "app.env"), "MESSAGE=Hello from Git", "MESSAGE=Still here")
	d.git(t, dir, "commit", "-q", "-a", "-m", "Say something that lasts")
	d.git(t, dir, "push", "-q")
	commit := d.git(t, dir, "rev-parse", "HEAD")
	applied(t, d, "apps", commit)
	return func(t *testing.T) {
		t.Helper()
		await(t, healTime, "all is well", d.healthy)
		after, err := d.status()
		if err != nil {
			t.Fatal(err)
		}
		if got := d.kubectl(t, "get", "configmap", "mine", "-o", "jsonpath={.metadata.uid} {.data.key}"); got != uid+" value" {
			t.Errorf("the ConfigMap: %q, want %s value", got, uid)
		}
		if got := head(t, d); got != commit {
			t.Errorf("main is %s, want %s", got, commit)
		}
		if before.URLs != after.URLs || before.Cluster.Server != after.Cluster.Server {
			t.Errorf("URLs before: %v %s and after: %v %s", before.URLs, before.Cluster.Server, after.URLs, after.Cluster.Server)
		}
		pageHas(t, d, after.URLs.App, "Still here")
	}
}
