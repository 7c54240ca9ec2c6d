package benchmark

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/demo"
	"github.com/fluxdemo/fluxdemo/demo/load"
	"github.com/fluxdemo/fluxdemo/demo/plaintext"
)

// Profile is where a component spent its processor time while Kustomizations
// got ready.
type Profile struct {
	Component string     `json:"component"`
	File      string     `json:"file,omitempty"`       // beside the report, for `go tool pprof`
	CPU       float64    `json:"cpuSeconds,omitempty"` // that the profile has seen
	Functions []Function `json:"functions,omitempty"`  // the busiest come first
	Problem   string     `json:"problem,omitempty"`    // why there is no profile
}

// Function is a function with the share of the component's processor time
// that went by in it and in what it calls.
type Function struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

const (
	profileTime      = 5 * time.Second
	profileFunctions = 20
	profileLeast     = 0.02 // of the time
	// profileAt is the part of the Kustomizations that are ready when the
	// profile begins: caches are filled then, and there is work left.
	profileAt = 0.2
	// collector is at work for all that was allocated.
	collector = "runtime.gcBgMarkWorker"
)

// profiles takes the profiles of the API server and of the kustomize-controllers.
func (b *bench) profiles(ctx context.Context, r *Trial) ([]Profile, error) {
	pods, err := b.kube.CoreV1().Pods(demo.FluxNamespace).List(ctx, metav1.ListOptions{LabelSelector: load.ControllerSelector})
	if err != nil {
		return nil, fmt.Errorf("listing kustomize-controllers: %w", err)
	}
	seconds := strconv.Itoa(int(profileTime.Seconds()))
	const path = "debug/pprof/profile"
	group, ctx := errgroup.WithContext(ctx)
	all := make([]Profile, 1+len(pods.Items))
	take := func(n int, component string, get func() ([]byte, error)) {
		all[n].Component = component
		group.Go(func() error {
			raw, err := get()
			if err == nil {
				err = all[n].read(raw)
			}
			if err != nil {
				all[n].Problem = plaintext.Text(err.Error())
				return ctx.Err() // of a cluster that gives none, all else can be measured
			}
			all[n].File = profileName(r.Plan, component)
			return b.keep(all[n].File, raw)
		})
	}
	take(0, "kube-apiserver", func() ([]byte, error) {
		return b.kube.Discovery().RESTClient().Get().AbsPath("/"+path).Param("seconds", seconds).DoRaw(ctx)
	})
	for i, pod := range pods.Items {
		take(1+i, pod.Labels["app"], func() ([]byte, error) {
			return b.kube.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, load.MetricsPort, path, map[string]string{"seconds": seconds}).DoRaw(ctx)
		})
	}
	return all, group.Wait()
}

// profileName is another one for each plan and component: a report may have
// trials of the same size.
func profileName(p load.Plan, component string) string {
	name := fmt.Sprintf("%d-%d-%d", p.Quiet, p.Heavy, len(p.Shards))
	if p.OwnSources {
		name += "-own-sources"
	}
	if p.Impersonate {
		name += "-impersonate"
	}
	return name + "-" + component + ".pprof"
}

// keep writes a file beside the report.
func (b *bench) keep(name string, content []byte) error {
	folder := filepath.Dir(b.File)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("writing a profile: %w", err)
	}
	if err := statefile.Write(filepath.Join(folder, name), content, 0o644); err != nil {
		return fmt.Errorf("writing a profile: %w", err)
	}
	return nil
}

// read takes from a CPU profile, as Go writes it, what the report shows.
func (p *Profile) read(raw []byte) error {
	parsed, err := profile.Parse(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("reading the profile: %w", err)
	}
	value := slices.IndexFunc(parsed.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" && t.Unit == "nanoseconds" })
	if value < 0 {
		return errors.New("reading the profile: it is not a CPU profile")
	}
	spent := map[string]int64{}
	var total int64
	for _, sample := range parsed.Sample {
		total += sample.Value[value]
		seen := map[string]bool{} // a function that calls itself counts once
		for _, location := range sample.Location {
			for _, line := range location.Line {
				if line.Function != nil && !seen[line.Function.Name] {
					seen[line.Function.Name] = true
					spent[line.Function.Name] += sample.Value[value]
				}
			}
		}
	}
	p.CPU = time.Duration(total).Seconds()
	for name, n := range spent {
		if telling(name) && float64(n) >= profileLeast*float64(total) {
			p.Functions = append(p.Functions, Function{Name: name, Share: float64(n) / float64(total)})
		}
	}
	slices.SortFunc(p.Functions, func(a, b Function) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Name, b.Name))
	})
	p.Functions = p.Functions[:min(len(p.Functions), profileFunctions)]
	return nil
}

// telling reports whether a function belongs in a profile. It drops Go's own
// library, because its callers say more, except for the costs of memory. It
// also drops the loops around all work.
func telling(function string) bool {
	first, _, ok := strings.Cut(function, "/")
	return function == collector || ok && strings.Contains(first, ".") && !strings.HasPrefix(function, "sigs.k8s.io/controller-runtime/pkg/internal/")
}
