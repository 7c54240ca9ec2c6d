package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/load/benchmark"
)

// TestBenchSharding measures a few Kustomizations, is interrupted, goes on,
// and leaves the cluster as it was.
func TestBenchSharding(t *testing.T) {
	d := sharedDemo(t)
	t.Cleanup(func() { d.must(t, "reset") })
	for _, bad := range [][]string{{"--sizes=0"}, {"--shards=9"}, {"--heavy=60"}, {"--probes=0"}, {"--deadline=1s"}, {"--output=yaml"}} {
		if r := d.fluxdemo(append([]string{"bench", "sharding"}, bad...)...); r.code != exitUsage || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v", r)
		}
	}
	arguments := func() string {
		return d.kubectl(t, "-n", "flux-system", "get", "deployment", "kustomize-controller", "-o=jsonpath={.spec.template.spec.containers[0].args}")
	}
	untouched := func(t *testing.T, before string) {
		t.Helper()
		if left := d.kubectl(t, "get", "namespaces,kustomizations,gitrepositories", "--all-namespaces", "-l", "fluxdemo.github.io/load", "-o=name"); left != "" {
			t.Errorf("left: %s", left)
		}
		if out := d.must(t, "shard", "list"); strings.Contains(out, "bench") {
			t.Errorf("a shard is left:\n%s", out)
		}
		if after := arguments(); after != before {
			t.Errorf("the arguments of kustomize-controller: %s, before: %s", after, before)
		}
		if refs := d.git(t, clone(t, d, "fleet"), "ls-remote", "origin"); strings.Contains(refs, "refs/heads/load") {
			t.Errorf("the branch is left:\n%s", refs)
		}
	}
	before := arguments()
	report := filepath.Join(t.TempDir(), "report")
	bench := []string{"bench", "sharding", "--sizes=8", "--shards=0,1", "--heavy=25", "--probes=3", "--report=" + report, "--output=json"}

	r := watched(t, d, bench, "Heavy tenants busy", func(p *os.Process) error { return p.Signal(os.Interrupt) })
	if r.code != 130 {
		t.Errorf("interrupted: %v", r)
	}
	untouched(t, before)
	partial := benchmark.Report{}
	raw, err := os.ReadFile(filepath.Join(report, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &partial); err != nil {
		t.Fatal(err)
	}
	if len(partial.Trials) != 1 || partial.Trials[0].Done || partial.Trials[0].Calm.Count != 3 {
		t.Errorf("the partial report: %s", raw)
	}

	var whole benchmark.Report
	if err := json.Unmarshal([]byte(d.must(t, bench...)), &whole); err != nil {
		t.Fatal(err)
	}
	untouched(t, before)
	if len(whole.Trials) != 2 {
		t.Fatalf("%d trials", len(whole.Trials))
	}
	for shards, trial := range whole.Trials {
		if !trial.Done || trial.Shards() != shards || trial.Calm.Count != 3 || trial.Crowded.Count != 3 || trial.Heavy.Count == 0 {
			t.Errorf("%d shards: %+v", shards, trial)
		}
		if trial.Memory() == 0 || trial.CPU() == 0 || trial.Ready == 0 || trial.Removed == 0 || len(trial.Samples) == 0 {
			t.Errorf("%d shards: nothing was measured of %+v", shards, trial)
		}
	}
	// Again: all is there.
	if out := d.must(t, bench[:len(bench)-1]...); !strings.Contains(out, "OBJECTS") {
		t.Errorf("the table: %s", out)
	}
	if page, err := os.ReadFile(filepath.Join(report, "report.html")); err != nil || !strings.Contains(string(page), "<svg") {
		t.Errorf("the page: %v, %.100s", err, page)
	}

	// So many Kustomizations that no machine has them all ready before the
	// profiles are taken: kustomize-controller builds one at a time.
	whole = benchmark.Report{}
	if err := json.Unmarshal([]byte(d.must(t, "bench", "sharding", "--sizes=150", "--shards=0", "--heavy=0", "--probes=1", "--report="+report, "--output=json")), &whole); err != nil {
		t.Fatal(err)
	}
	profiles := whole.Trials[len(whole.Trials)-1].Profiles
	if len(profiles) != 2 {
		t.Fatalf("the profiles: %+v", profiles)
	}
	for i, want := range []struct{ component, function string }{
		{"kube-apiserver", "k8s.io/apiserver/pkg/registry/generic/registry.(*Store).Update"},
		{"kustomize-controller", "github.com/fluxcd/kustomize-controller/internal/controller.(*KustomizationReconciler).Reconcile"},
	} {
		p := profiles[i]
		if p.Component != want.component || p.Problem != "" || !slices.ContainsFunc(p.Functions, func(f benchmark.Function) bool { return f.Name == want.function }) {
			t.Errorf("the profile of %s: %+v", want.component, p)
		}
		if _, err := os.Stat(filepath.Join(report, p.File)); err != nil {
			t.Error(err)
		}
	}
}
