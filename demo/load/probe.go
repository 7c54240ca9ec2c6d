package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
)

// Latency is how long reconciliations took from the request to the answer.
type Latency struct {
	mu   sync.Mutex
	hist *hdr.Histogram
}

// longest is more than any probe waits; three significant digits of it in
// milliseconds take some 20 KB.
const longest = time.Hour

// NewLatency returns one without samples.
func NewLatency() *Latency { return &Latency{hist: hdr.New(1, longest.Milliseconds(), 3)} }

// Add adds a sample.
func (l *Latency) Add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// What is longer counts as the longest.
	_ = l.hist.RecordValue(min(max(d, time.Millisecond), longest).Milliseconds())
}

// Percentiles of a Latency, in seconds.
type Percentiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Percentiles sums it up.
func (l *Latency) Percentiles() Percentiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := func(q float64) float64 { return float64(l.hist.ValueAtQuantile(q)) / 1000 }
	return Percentiles{Count: l.hist.TotalCount(), P50: at(50), P90: at(90), P99: at(99), Max: float64(l.hist.Max()) / 1000}
}

// Probe asks for a reconciliation of each of these Kustomizations, all at the
// same time, and adds to latency how long each took, from the request to the
// answer in its status.
func (o *Observer) Probe(ctx context.Context, c client.Client, names []types.NamespacedName, latency *Latency) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		group.Go(func() error {
			k := &kustomizev1.Kustomization{}
			k.Namespace, k.Name = name.Namespace, name.Name
			token, asked, err := Ask(ctx, c, k)
			if err != nil {
				return err
			}
			at, err := o.AwaitHandled(ctx, name, token)
			if err != nil {
				return fmt.Errorf("%w after %.0f s", err, time.Since(asked).Seconds())
			}
			latency.Add(at.Sub(asked))
			return nil
		})
	}
	return group.Wait()
}
