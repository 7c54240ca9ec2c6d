package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/metrics"
)

// metricsServer measures the node's pods, and serves the metrics API on a port
// of its own to the API server alone.
type metricsServer struct {
	api      *metrics.API
	listener net.Listener // nil: the API is not served
	tls      *tls.Config
}

func newMetricsServer(n *Node) (*metricsServer, error) {
	created := metav1.Now()
	s := &metricsServer{api: &metrics.API{
		Sampler: metrics.New(n.runtime.measured), NodeName: n.cfg.Name,
		Node: func() metav1.ObjectMeta {
			return metav1.ObjectMeta{Labels: n.registered.Object().Labels, CreationTimestamp: created}
		},
	}}
	if n.cfg.ProxyCAFile == "" {
		return s, nil
	}
	var err error
	if s.tls, err = kubeletTLS(n.cfg.ServingCert, n.cfg.ServingKey, n.cfg.ProxyCAFile, n.cfg.ProxyName); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("opening the port of the metrics API: %w", err)
	}
	return s, nil
}

// run measures and serves until ctx ends.
func (s *metricsServer) run(ctx context.Context, n *Node) {
	var serving sync.WaitGroup
	defer serving.Wait()
	if s.listener != nil {
		serving.Go(func() { serve(ctx, s.listener, s.api.Handler(), s.tls, n.cfg.Logf) })
		serving.Go(func() {
			ca, err := os.ReadFile(n.cfg.CAFile)
			if err != nil {
				n.cfg.Logf("metrics: %v", err)
				return
			}
			metrics.Register(ctx, n.cfg.Client, ca, n.cfg.Logf)
		})
	}
	s.api.Sampler.Run(ctx)
}

func (s *metricsServer) close() error {
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// locate returns where the metrics API is served, for its address in the cluster.
func (s *metricsServer) locate(ip string, port int32) (string, bool) {
	if s.listener == nil || ip != metrics.Address || port != metrics.Port {
		return "", false
	}
	return s.listener.Addr().String(), true
}

// measured lists what is to be measured.
func (r *runtime) measured() []metrics.Pod {
	var list []metrics.Pod
	for _, p := range r.all() {
		list = append(list, p.measured())
	}
	return list
}

func (p *pod) measured() metrics.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	pod := metrics.Pod{
		Namespace: p.namespace, Name: p.podName, UID: string(p.uid), Labels: p.object.Labels, Started: p.startTime.Time,
	}
	for _, c := range p.containers {
		if c.state.Running == nil {
			continue
		}
		m := metrics.Container{Name: c.name, Started: c.state.Running.StartedAt.Time, Simulated: c.simulated}
		if c.process != nil {
			m.Main = c.process.Pid()
		}
		for beside := range c.execs {
			m.Beside = append(m.Beside, beside.Pid())
		}
		pod.Containers = append(pod.Containers, m)
	}
	return pod
}
