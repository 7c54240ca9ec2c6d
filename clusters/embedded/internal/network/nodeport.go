package network

import (
	"context"
	"net"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/fluxdemo/fluxdemo/clusters/internal/nodeport"
)

// nodePorts makes the listeners on 127.0.0.1 for the Services' node ports.
// What becomes of a port that another program has stands in the log and in
// the Service's events.
func (n *Network) nodePorts(recorder record.EventRecorder) *nodeport.Listeners {
	report := func(target nodeport.Target, kind, reason, format string, args ...any) {
		recorder.Eventf(target.Ref, kind, reason, format, args...)
		n.cfg.Logf("network: "+target.String()+": "+format, args...)
	}
	return nodeport.New(nodeport.Config{
		Pool: n.ports,
		Dial: func(ctx context.Context, t nodeport.Target) (net.Conn, error) {
			return n.resolve.dial(ctx, servicePort{namespace: t.Namespace, name: t.Service, port: t.Port})
		},
		Opened: func(number int32, target nodeport.Target, _ net.Addr, late bool) {
			if late {
				report(target, corev1.EventTypeNormal, "NodePortOpened", "node port %d is open on 127.0.0.1 now", number)
			}
		},
		Unavailable: func(number int32, target nodeport.Target, err error) {
			report(target, corev1.EventTypeWarning, "NodePortUnavailable",
				"node port %d cannot be opened on 127.0.0.1, will try again: %v; end the program that has it, or change the Service's nodePort", number, err)
		},
		Logf: func(format string, args ...any) { n.cfg.Logf("network: "+format, args...) },
	})
}
