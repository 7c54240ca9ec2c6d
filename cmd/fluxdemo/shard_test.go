package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/shard"
)

// TestShard moves what the app comes from to controllers of its own, and back.
func TestShard(t *testing.T) {
	d := sharedDemo(t)
	t.Cleanup(func() { d.must(t, "reset") })
	shards := func() map[string]shard.Shard {
		t.Helper()
		var out struct{ Shards []shard.Shard }
		if err := json.Unmarshal([]byte(d.must(t, "shard", "list", "-o", "json")), &out); err != nil {
			t.Fatal(err)
		}
		all := map[string]shard.Shard{}
		for _, s := range out.Shards {
			all[s.Name] = s
		}
		return all
	}
	artifact := func() string {
		return d.kubectl(t, "-n", "flux-system", "get", "gitrepository", "flux-system", "-o=jsonpath={.status.artifact.url}")
	}
	push := func(colour string) {
		t.Helper()
		revision := recolour(t, d, clone(t, d, "fleet"), colour)
		applied(t, d, "apps", strings.TrimPrefix(revision, "main@sha1:"))
	}

	for _, bad := range [][]string{{"add", "main"}, {"add", "Shard_1"}, {"remove", "x y"}, {"move", "apps", "shard1"}} {
		if r := d.fluxdemo(append([]string{"shard"}, bad...)...); r.code != exitUsage || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v", r)
		}
	}
	if r := d.fluxdemo("shard", "move", "kustomization/apps", "shard1"); r.code != exitFailure || !strings.Contains(r.stderr, `there is no shard "shard1"; valid values: main`) {
		t.Errorf("%v", r)
	}
	if r := d.fluxdemo("shard", "remove", "shard1"); r.code != exitFailure || !strings.Contains(r.stderr, `there is no shard "shard1"`) {
		t.Errorf("%v", r)
	}

	d.must(t, "shard", "add", "shard1")
	d.must(t, "shard", "add", "shard1") // again: nothing happens
	all := shards()
	if s := all["shard1"]; len(s.Controllers) != 3 || !s.Ready() || len(s.Objects) != 0 {
		t.Errorf("shard1: %+v", s)
	}
	if s := all[shard.Main]; len(s.Controllers) != 4 || !s.Ready() || !slices.Contains(s.Objects, "Kustomization/flux-system/apps") {
		t.Errorf("the main ones: %+v", s)
	}

	d.must(t, "shard", "move", "GitRepository/flux-system", "shard1")
	d.must(t, "shard", "move", "kustomization/apps", "shard1")
	if url := artifact(); !strings.HasPrefix(url, "http://source-controller-shard1.flux-system.svc.cluster.local./") {
		t.Errorf("the artifact is at %s", url)
	}
	push("crimson")
	if s := shards()["shard1"]; !slices.Equal(s.Objects, []string{"GitRepository/flux-system/flux-system", "Kustomization/flux-system/apps"}) {
		t.Errorf("shard1 has %v", s.Objects)
	}
	if log := d.kubectl(t, "-n", "flux-system", "logs", "deploy/kustomize-controller-shard1"); !strings.Contains(log, `"Kustomization":{"name":"apps"`) {
		t.Errorf("the shard's kustomize-controller has not worked on it:\n%s", log)
	}
	if r := d.fluxdemo("shard", "remove", "shard1"); r.code != exitFailure || !strings.Contains(r.stderr, "still reconciles objects: ") || !strings.Contains(r.stderr, "Kustomization flux-system/apps") {
		t.Errorf("%v", r)
	}

	d.must(t, "shard", "move", "gitrepository/flux-system", shard.Main)
	d.must(t, "shard", "move", "kustomization/apps", shard.Main)
	if url := artifact(); !strings.HasPrefix(url, "http://source-controller.flux-system.svc.cluster.local./") {
		t.Errorf("back, the artifact is at %s", url)
	}
	d.must(t, "shard", "remove", "shard1")
	push("teal")
	gone := func(when string) {
		t.Helper()
		if all := shards(); len(all) != 1 {
			t.Errorf("%s there is %v", when, all)
		}
		if left := d.kubectl(t, "-n", "flux-system", "get", "deployments,services,pods", "-l", "fluxdemo.github.io/shard", "-o", "name"); left != "" {
			t.Errorf("%s there is %s", when, left)
		}
	}
	gone("after remove")

	d.must(t, "shard", "add", "other")
	d.must(t, "shard", "move", "kustomization/apps", "other")
	d.must(t, "reset")
	gone("after reset")
	await(t, healTime, "all is well", d.healthy)
	push("navy")
}
