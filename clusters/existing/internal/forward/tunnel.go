package forward

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/fluxdemo/fluxdemo/clusters/internal/nodeport"
)

// patience is how long a connection waits for a pod: long enough for one
// that is just being replaced.
const patience = 20 * time.Second

// tunnels holds a tunnel to each pod that has connections.
type tunnels struct {
	config    *rest.Config
	client    kubernetes.Interface
	endpoints *endpoints
	logf      func(format string, args ...any)

	mu   sync.Mutex
	open map[endpoint]*tunnel
}

// tunnel is a port of this machine that leads to one pod.
type tunnel struct {
	ready chan struct{} // closed when it is open, or failed
	port  uint16        // once it is open
	err   error         // once it failed
}

func newTunnels(config *rest.Config, client kubernetes.Interface, e *endpoints, logf func(format string, args ...any)) *tunnels {
	return &tunnels{config: config, client: client, endpoints: e, logf: logf, open: map[endpoint]*tunnel{}}
}

// dial connects to a pod of the target. A pod that cannot be reached is not
// ready any more, which its endpoints may not tell yet, so it tries again. The
// tunnels that it opens end with ctx.
func (t *tunnels) dial(ctx context.Context, to nodeport.Target) (net.Conn, error) {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		ready, err := t.endpoints.await(patient, to)
		if err != nil {
			return nil, err
		}
		for _, each := range ready {
			var conn net.Conn
			if conn, err = t.connect(ctx, patient, each); err == nil {
				return conn, nil
			}
		}
		select {
		case <-patient.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// connect connects to a pod through its tunnel, which it opens if need be. It
// waits until patient ends, and the tunnel ends with ctx: others use it too.
func (t *tunnels) connect(ctx, patient context.Context, to endpoint) (net.Conn, error) {
	t.mu.Lock()
	way := t.open[to]
	if way == nil {
		way = &tunnel{ready: make(chan struct{})}
		t.open[to] = way
		go t.dig(ctx, way, to)
	}
	t.mu.Unlock()
	select {
	case <-way.ready:
	case <-patient.Done():
		return nil, fmt.Errorf("forwarding to pod %s: %w", to.pod, patient.Err())
	}
	if way.err != nil {
		return nil, way.err
	}
	conn, err := (&net.Dialer{}).DialContext(patient, "tcp", fmt.Sprintf("127.0.0.1:%d", way.port))
	if err != nil {
		return nil, fmt.Errorf("forwarding to pod %s: %w", to.pod, err)
	}
	return conn, nil
}

// dig opens a tunnel and keeps it until the pod or the connection goes.
func (t *tunnels) dig(ctx context.Context, way *tunnel, to endpoint) {
	err := t.forward(ctx, way, to)
	t.mu.Lock()
	delete(t.open, to)
	t.mu.Unlock()
	if err == nil {
		err = fmt.Errorf("the connection ended")
	}
	err = fmt.Errorf("forwarding to pod %s/%s: %w", to.namespace, to.pod, err)
	select {
	case <-way.ready:
	default:
		way.err = err
		close(way.ready)
	}
	if ctx.Err() == nil {
		t.logf("%v", err)
	}
}

func (t *tunnels) forward(ctx context.Context, way *tunnel, to endpoint) error {
	url := t.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(to.namespace).Name(to.pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(t.config)
	if err != nil {
		return err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	websocket, err := portforward.NewSPDYOverWebsocketDialer(url, t.config)
	if err != nil {
		return err
	}
	dialer := portforward.NewFallbackDialer(websocket, old, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	open := make(chan struct{})
	forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"},
		[]string{fmt.Sprintf("0:%d", to.port)}, ctx.Done(), open, io.Discard, io.Discard)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- forwarder.ForwardPorts() }()
	select {
	case err := <-done:
		return err
	case <-open:
	}
	ports, err := forwarder.GetPorts()
	if err != nil || len(ports) != 1 {
		forwarder.Close()
		return fmt.Errorf("it has no port: %w", err)
	}
	way.port = ports[0].Local
	close(way.ready)
	return <-done
}
