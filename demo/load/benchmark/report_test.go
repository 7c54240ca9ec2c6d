package benchmark

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/load"
)

func trials() []*Trial {
	return []*Trial{
		{
			Plan: load.Plan{Quiet: 9500, Heavy: 500, Shards: []string{"bench1"}}, Done: true,
			Ready: 912, Removed: 130.2, Restarts: 1,
			Calm:    load.Percentiles{Count: 20, P50: 0.2, P99: 0.25},
			Crowded: load.Percentiles{Count: 20, P50: 0.2, P99: 0.31},
			Samples: []Sample{
				{At: 1, Ready: 10, Depth: map[string]int{"kustomize-controller": 5}, Memory: 1e9},
				{At: 2, Ready: 30, Depth: map[string]int{"kustomize-controller": 3}, Memory: 2e9},
			},
			Controllers: []load.Controller{{App: "kustomize-controller", Count: 20, Seconds: 3}},
			Processes:   []Process{{Name: "kube-apiserver", Memory: 4e9, CPU: 700}},
			Profiles: []Profile{
				{Component: "kustomize-controller", CPU: 4, File: "a.pprof", Functions: []Function{{Name: "github.com/x.Build<T>", Share: 0.75}}},
				{Component: "kube-apiserver", Problem: "forbidden"},
			},
		},
		{Plan: load.Plan{Quiet: 95, Heavy: 5}, Problem: "Heavy <tenants>: not done after 30m0s"},
	}
}

// TestReportGoesOn: what was measured is there at the next start, and what
// is measured again replaces it.
func TestReportGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "report.json")
	r, err := readReport(file)
	if err != nil {
		t.Fatal(err)
	}
	here := Machine{OS: "linux/amd64", Cores: 2, Cluster: "embedded"}
	begin := func() {
		t.Helper()
		if err := r.begin(here); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	for _, trial := range trials() {
		r.put(trial)
		if err := r.save(file); err != nil {
			t.Fatal(err)
		}
	}
	r, err = readReport(file)
	if err != nil {
		t.Fatal(err)
	}
	begin()
	large, small := trials()[0].Plan, trials()[1].Plan
	if got := r.find(large); got == nil || !got.Done || got.Ready != 912 {
		t.Errorf("10,000 Kustomizations: %+v", got)
	}
	if got := r.find(small); got == nil || got.Done {
		t.Errorf("100 Kustomizations: %+v", got)
	}
	if got := r.find(load.Plan{Quiet: 100}); got != nil {
		t.Errorf("nobody measured %+v", got)
	}
	r.put(&Trial{Plan: small, Done: true})
	if len(r.Trials) != 2 || !r.find(small).Done {
		t.Errorf("measured again: %+v", r.Trials)
	}
	if r.Trials[0].size() != 100 {
		t.Error("the smallest does not come first")
	}
	here.Cores = 16
	if err := r.begin(here); err == nil || !strings.Contains(err.Error(), "--report") || len(r.Trials) != 2 {
		t.Errorf("it goes on with what another machine has measured, or forgets it: %v, %v", err, r.Trials)
	}

	if err := os.WriteFile(file, []byte("not mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readReport(file); err == nil || !strings.Contains(err.Error(), "--report") {
		t.Errorf("a file of somebody else: %v", err)
	}
}

func TestTable(t *testing.T) {
	r := &Report{Machine: Machine{Cores: 2, OS: "linux/amd64", CPU: "AMD EPYC", Memory: 24 << 30, Cluster: "embedded", Server: "v1.36.3"}, Trials: trials()}
	var out strings.Builder
	if err := r.Table(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"15m12s", "0.25 s", "0.31 s", "4.0 GB", "700 s", "restarted 1 times",
		"100 objects, 0 shards: Heavy <tenants>: not done after 30m0s",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if len(line) > 72 && !strings.Contains(line, "Heavy <tenants>") {
			t.Errorf("wider than a stage: %q", line)
		}
	}
}

func TestHTML(t *testing.T) {
	r := &Report{Started: time.Now(), Trials: trials()}
	page, err := r.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", "Heavy &lt;tenants&gt;", "kustomize-controller", "0.150 s", "1.2 times what it was", "Build&lt;T&gt;", "75 %", "No profile: forbidden"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %q on the page", want)
		}
	}
	for _, unwanted := range []string{"ZgotmplZ", "<script", "http:", "https:"} {
		if strings.Contains(strings.ReplaceAll(string(page), "http://www.w3.org/2000/svg", ""), unwanted) {
			t.Errorf("%q on a page that stands for itself", unwanted)
		}
	}
}

func TestNames(t *testing.T) {
	all := load.Plan{Quiet: 40}.Kustomizations(load.Quiet)
	if got := names(all, 5); len(got) != 5 || got[0].Namespace == got[4].Namespace {
		t.Errorf("five of 40: %v", got)
	}
	if got := names(all, 100); len(got) != 40 {
		t.Errorf("%d of 40", len(got))
	}
	if got := names(nil, 3); len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
}
