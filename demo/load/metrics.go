package load

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fluxdemo/fluxdemo/demo"
)

// Controller is what one controller says of its work.
type Controller struct {
	Pod   string `json:"pod"`
	App   string `json:"app"`   // kustomize-controller-shard1
	Depth int    `json:"depth"` // objects that wait for a worker
	Busy  int    `json:"busy"`  // workers at work
	// Reconciliations since it started, and the seconds that they and the
	// waits for them took.
	Count   uint64  `json:"count"`
	Seconds float64 `json:"seconds"`
	Waited  float64 `json:"waited"`
}

// MetricsPort is where Flux's controllers serve their metrics and profiles; a
// pod's proxy takes no names of ports.
const MetricsPort = "8080"

// ControllerSelector finds the pods of the kustomize-controllers, the main
// one and those of shards.
const ControllerSelector = "app.kubernetes.io/component=kustomize-controller"

// Controllers asks the kustomize-controllers for their metrics, by way of the
// API server.
func Controllers(ctx context.Context, c kubernetes.Interface) ([]Controller, error) {
	list, err := c.CoreV1().Pods(demo.FluxNamespace).List(ctx, metav1.ListOptions{LabelSelector: ControllerSelector})
	if err != nil {
		return nil, fmt.Errorf("listing kustomize-controllers: %w", err)
	}
	all := make([]Controller, len(list.Items))
	group, ctx := errgroup.WithContext(ctx)
	for i, pod := range list.Items {
		group.Go(func() error {
			raw, err := c.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, MetricsPort, "metrics", nil).DoRaw(ctx)
			if err != nil {
				return fmt.Errorf("asking %s for its metrics: %w", pod.Name, err)
			}
			if all[i], err = parseMetrics(raw); err != nil {
				return fmt.Errorf("reading the metrics of %s: %w", pod.Name, err)
			}
			all[i].Pod, all[i].App = pod.Name, pod.Labels["app"]
			return nil
		})
	}
	return all, group.Wait()
}

// parseMetrics reads what a kustomize-controller says of Kustomizations, in
// Prometheus' text format. The names are controller-runtime's.
func parseMetrics(raw []byte) (c Controller, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(raw))
	if err != nil {
		return c, err
	}
	if m := of(families["workqueue_depth"]); m != nil {
		for _, each := range families["workqueue_depth"].Metric {
			if isKustomization(each) { // one for each priority
				c.Depth += int(each.GetGauge().GetValue())
			}
		}
	}
	if m := of(families["controller_runtime_active_workers"]); m != nil {
		c.Busy = int(m.GetGauge().GetValue())
	}
	if m := of(families["controller_runtime_reconcile_time_seconds"]); m != nil {
		c.Count, c.Seconds = m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
	}
	if m := of(families["workqueue_queue_duration_seconds"]); m != nil {
		c.Waited = m.GetHistogram().GetSampleSum()
	}
	return c, nil
}

// of returns the metric of the controller of Kustomizations.
func of(family *dto.MetricFamily) *dto.Metric {
	for _, m := range family.GetMetric() {
		if isKustomization(m) {
			return m
		}
	}
	return nil
}

func isKustomization(m *dto.Metric) bool {
	for _, label := range m.Label {
		if label.GetName() == "controller" {
			return strings.EqualFold(label.GetValue(), "kustomization")
		}
	}
	return false
}
