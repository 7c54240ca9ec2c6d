package network

import (
	"context"
	"net"

	"k8s.io/client-go/tools/record"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/network/loadbalancer"
)

// loadBalancer makes what serves the Services of type LoadBalancer.
func (n *Network) loadBalancer(recorder record.EventRecorder) (*loadbalancer.Balancer, error) {
	return loadbalancer.New(loadbalancer.Config{
		Client: n.cfg.Client.CoreV1(), Services: n.resolve.services, Events: recorder,
		Dial: func(ctx context.Context, namespace, service string, port int32) (net.Conn, error) {
			return n.resolve.dial(ctx, servicePort{namespace: namespace, name: service, port: port})
		},
		Pool:     n.ports,
		Reserved: n.cfg.Reserved,
		Logf:     func(format string, args ...any) { n.cfg.Logf("network: "+format, args...) },
	})
}
