package load

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fluxdemo/fluxdemo/demo/shard"
)

func TestPlan(t *testing.T) {
	for name, test := range map[string]struct {
		plan       Plan
		namespaces int            // with the shared one
		quiet      map[string]int // Kustomizations by shard
		heavy      map[string]int
		check      string
	}{
		"all are the main controllers'": {
			plan: Plan{Quiet: 25, Heavy: 3}, namespaces: 1 + 3 + 1,
			quiet: map[string]int{"": 25}, heavy: map[string]int{"": 3},
		},
		"one shard takes the heavy ones": {
			plan: Plan{Quiet: 20, Heavy: 3, Shards: []string{"one"}}, namespaces: 1 + 2 + 1,
			quiet: map[string]int{"": 20}, heavy: map[string]int{"one": 3},
		},
		"two shards share the quiet ones with the main one": {
			plan: Plan{Quiet: 40, Heavy: 20, PerTenant: 10, Shards: []string{"one", "two"}}, namespaces: 1 + 4 + 2,
			quiet: map[string]int{"": 20, "two": 20}, heavy: map[string]int{"one": 20},
		},
		"less than nothing": {plan: Plan{Quiet: -1}, check: "-1 quiet"},
		"too many":          {plan: Plan{Quiet: 99_999, Heavy: 2}, check: "up to 100000"},
		"no name":           {plan: Plan{Shards: []string{"main"}}, check: "is not a valid name for a shard"},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.plan.Check()
			if test.check != "" {
				if err == nil || !strings.Contains(err.Error(), test.check) {
					t.Errorf("got %v, want an error with %q", err, test.check)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			namespaces := map[string]bool{}
			for _, o := range append(test.plan.Prepare(Quiet), test.plan.Prepare(Heavy)...) {
				if _, ok := o.(*corev1.Namespace); ok {
					namespaces[o.GetName()] = true
				}
				if o.GetLabels()[Label] == "" {
					t.Errorf("%s has no label to be removed by", o.GetName())
				}
			}
			if len(namespaces) != test.namespaces {
				t.Errorf("%d namespaces, want %d", len(namespaces), test.namespaces)
			}
			for kind, want := range map[string]map[string]int{Quiet: test.quiet, Heavy: test.heavy} {
				got, names := map[string]int{}, map[client.ObjectKey]bool{}
				for _, o := range test.plan.Kustomizations(kind) {
					k := o.(*kustomizev1.Kustomization)
					got[k.Labels[shard.Key]]++
					names[client.ObjectKeyFromObject(k)] = true
					if !namespaces[k.Namespace] || k.Spec.TargetNamespace != k.Namespace {
						t.Errorf("%s/%s is in no tenant's namespace, or applies to another", k.Namespace, k.Name)
					}
					if k.Spec.Wait != (kind == Heavy) {
						t.Errorf("%s/%s: wait is %t", k.Namespace, k.Name, k.Spec.Wait)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s by shard: %v, want %v", kind, got, want)
				}
				if len(names) != test.plan.count(kind) {
					t.Errorf("%d names for %d Kustomizations", len(names), test.plan.count(kind))
				}
			}
		})
	}
}

func TestPlanOfTheirOwn(t *testing.T) {
	p := Plan{Quiet: 2, PerTenant: 1, OwnSources: true, Impersonate: true}
	for _, o := range p.Kustomizations(Quiet) {
		spec := o.(*kustomizev1.Kustomization).Spec
		if spec.SourceRef.Namespace != "" || spec.ServiceAccountName != serviceAccount {
			t.Errorf("%s/%s: %+v", o.GetNamespace(), o.GetName(), spec)
		}
	}
	if n := len(p.Prepare(Quiet)); n != 1+2*4 {
		t.Errorf("%d objects, want a namespace, and for each tenant a namespace, an account, a binding and a source", n)
	}
}

// TestContent: what Flux builds is what the documentation of Plan says.
func TestContent(t *testing.T) {
	files, err := Content("seven")
	if err != nil {
		t.Fatal(err)
	}
	disk := filesys.MakeFsInMemory()
	if err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		return disk.WriteFile("/"+path, raw)
	}); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		Quiet: "ConfigMap 1, Deployment 1, Service 1, ServiceAccount 1",
		Heavy: "ConfigMap 20, Deployment 1",
	} {
		resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, "/"+dir)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, r := range resources.Resources() {
			count[r.GetKind()]++
		}
		var got []string
		for kind, n := range count {
			got = append(got, fmt.Sprintf("%s %d", kind, n))
		}
		slices.Sort(got)
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, want %s", dir, got, want)
		}
		text, err := resources.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(text), "edition: seven"); has != (dir == Heavy) {
			t.Errorf("%s has the edition: %t", dir, has)
		}
	}
}

func TestLatency(t *testing.T) {
	l := NewLatency()
	if got := l.Percentiles(); got != (Percentiles{}) {
		t.Errorf("of nothing: %+v", got)
	}
	for n := range 100 {
		l.Add(time.Duration(n+1) * 10 * time.Millisecond)
	}
	got := l.Percentiles()
	near := func(got, want float64) bool { return got > want*0.998 && got < want*1.002 }
	if got.Count != 100 || !near(got.P50, 0.5) || !near(got.P90, 0.9) || !near(got.P99, 0.99) || !near(got.Max, 1) {
		t.Errorf("of 10 ms to 1 s: %+v", got)
	}
	l.Add(100 * time.Hour) // counts as the longest
	if got := l.Percentiles().Max; !near(got, longest.Seconds()) {
		t.Errorf("the longest is %v s", got)
	}
}

func TestParseMetrics(t *testing.T) {
	const text = `# TYPE workqueue_depth gauge
workqueue_depth{controller="kustomization",name="kustomization",priority="-100"} 3
workqueue_depth{controller="kustomization",name="kustomization",priority="0"} 4
workqueue_depth{controller="other",name="other",priority="0"} 50
# TYPE controller_runtime_active_workers gauge
controller_runtime_active_workers{controller="kustomization"} 2
# TYPE controller_runtime_reconcile_time_seconds histogram
controller_runtime_reconcile_time_seconds_bucket{controller="kustomization",le="+Inf"} 15
controller_runtime_reconcile_time_seconds_sum{controller="kustomization"} 2.5
controller_runtime_reconcile_time_seconds_count{controller="kustomization"} 15
`
	got, err := parseMetrics([]byte(text))
	if want := (Controller{Depth: 7, Busy: 2, Count: 15, Seconds: 2.5}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if got, err := parseMetrics(nil); err != nil || got != (Controller{}) {
		t.Errorf("of nothing: %+v, %v", got, err)
	}
	if _, err := parseMetrics([]byte("no metrics {")); err == nil {
		t.Error("nonsense is read as metrics")
	}
}

func FuzzParseMetrics(f *testing.F) {
	f.Add([]byte("workqueue_depth{controller=\"kustomization\"} 3\n"))
	f.Fuzz(func(_ *testing.T, raw []byte) { _, _ = parseMetrics(raw) })
}
