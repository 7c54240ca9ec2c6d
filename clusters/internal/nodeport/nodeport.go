// Package nodeport makes the NodePort Services of a cluster available on this
// machine. It watches the Services, listens on each of their TCP node ports,
// and joins every connection to one that its caller dials.
package nodeport

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
	"github.com/fluxdemo/fluxdemo/clusters/internal/limit"
)

// Target is what is behind a node port: a port of a Service.
type Target struct {
	Namespace, Service string
	Port               int32  // its number
	PortName           string // may be empty
	// Ref names the Service in events.
	Ref *corev1.ObjectReference
}

// String names the Service.
func (t Target) String() string { return "Service " + t.key() }

func (t Target) key() string { return t.Namespace + "/" + t.Service }

// Config is what Listeners need. All but Dial and Logf may be nil.
type Config struct {
	// Dial connects to a pod that is ready behind the target. ctx is that of
	// the Update which opened the port.
	Dial func(ctx context.Context, target Target) (net.Conn, error)
	// Listen opens the port of this machine for a node port. Nil means
	// 127.0.0.1 and the same number.
	Listen func(ctx context.Context, nodePort int32) (net.Listener, error)
	// Opened, Unavailable and Closed hear what becomes of a node port. One
	// that cannot be opened is reported once and tried again, ever more
	// seldom; late says that it was reported before it opened. They must not
	// call the Listeners.
	Opened      func(nodePort int32, target Target, at net.Addr, late bool)
	Unavailable func(nodePort int32, target Target, err error)
	Closed      func(nodePort int32)
	// Pool bounds the connections. Nil means one of its own.
	Pool *limit.Pool
	// Logf takes one line a call.
	Logf func(format string, args ...any)
}

// retry is how long to wait before a port that is taken is tried again.
func retry() wait.Backoff {
	return wait.Backoff{Duration: 500 * time.Millisecond, Factor: 2, Cap: 15 * time.Second, Steps: 10}
}

// acceptPause is the wait after a connection could not be accepted: too many
// files are open, most likely.
const acceptPause = 500 * time.Millisecond

// Listeners listens for the node ports of Services. Make it with New.
type Listeners struct {
	cfg   Config
	group sync.WaitGroup

	mu        sync.Mutex
	ports     map[int32]*port
	byService map[string][]int32
}

// port is one node port that is to be listened on.
type port struct {
	number int32
	target atomic.Pointer[Target]
	stop   context.CancelFunc
	done   chan struct{} // closed when the listener is closed
}

// New returns Listeners without any port yet.
func New(cfg Config) *Listeners {
	if cfg.Listen == nil {
		cfg.Listen = func(ctx context.Context, nodePort int32) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", nodePort))
		}
	}
	if cfg.Pool == nil {
		cfg.Pool = limit.Ports()
	}
	if cfg.Opened == nil {
		cfg.Opened = func(int32, Target, net.Addr, bool) {}
	}
	if cfg.Unavailable == nil {
		cfg.Unavailable = func(int32, Target, error) {}
	}
	if cfg.Closed == nil {
		cfg.Closed = func(int32) {}
	}
	return &Listeners{cfg: cfg, ports: map[int32]*port{}, byService: map[string][]int32{}}
}

// Update opens and closes ports so that they match the Service. When it
// returns, every port that is free is open. When ctx ends, its listeners and
// their connections are closed; it is the same for all calls.
func (l *Listeners) Update(ctx context.Context, service *corev1.Service, deleted bool) {
	wanted := map[int32]*Target{}
	if !deleted {
		wanted = targets(service)
	}
	key := service.Namespace + "/" + service.Name
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	for _, number := range l.byService[key] {
		p := l.ports[number]
		// After a new list the port's next owner can be known before its last
		// one is known to be gone: then it is the other's already.
		if wanted[number] == nil && p != nil && p.target.Load().key() == key {
			p.stop()
			<-p.done
			delete(l.ports, number)
			l.cfg.Closed(number)
		}
	}
	delete(l.byService, key)
	for _, number := range slices.Sorted(maps.Keys(wanted)) {
		l.byService[key] = append(l.byService[key], number)
		if p := l.ports[number]; p != nil {
			p.target.Store(wanted[number])
			continue
		}
		l.add(ctx, number, wanted[number])
	}
}

// targets are the TCP node ports of a Service.
func targets(service *corev1.Service) map[int32]*Target {
	all := map[int32]*Target{}
	if service.Spec.Type != corev1.ServiceTypeNodePort && service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return all
	}
	for _, p := range service.Spec.Ports {
		if p.NodePort == 0 || p.Protocol != corev1.ProtocolTCP && p.Protocol != "" {
			continue
		}
		all[p.NodePort] = &Target{
			Namespace: service.Namespace, Service: service.Name, Port: p.Port, PortName: p.Name,
			Ref: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "Service", Namespace: service.Namespace, Name: service.Name,
				UID: service.UID, ResourceVersion: service.ResourceVersion,
			},
		}
	}
	return all
}

// add opens a port, or leaves it to a goroutine that tries again. l.mu is
// held.
func (l *Listeners) add(ctx context.Context, number int32, target *Target) {
	open, stop := context.WithCancel(ctx)
	p := &port{number: number, stop: stop, done: make(chan struct{})}
	p.target.Store(target)
	l.ports[number] = p
	listener, err := l.cfg.Listen(ctx, number)
	if err == nil {
		l.cfg.Opened(number, *target, listener.Addr(), false)
		l.group.Go(func() {
			defer close(p.done)
			l.accept(ctx, open, p, listener)
		})
		return
	}
	l.cfg.Unavailable(number, *target, err)
	l.group.Go(func() {
		defer close(p.done)
		again := func(context.Context) (bool, error) { // the listener is to outlive this try
			listener, err = l.cfg.Listen(ctx, number)
			return err == nil, nil
		}
		if retry().DelayFunc().Until(open, false, true, again) != nil {
			return // the port is closed again
		}
		l.cfg.Opened(number, *p.target.Load(), listener.Addr(), true)
		l.accept(ctx, open, p, listener)
	})
}

// accept takes connections until open ends. They end with ctx.
func (l *Listeners) accept(ctx, open context.Context, p *port, listener net.Listener) {
	defer listener.Close()
	defer context.AfterFunc(open, func() { listener.Close() })()
	bounded := l.cfg.Pool.Listener(fmt.Sprintf("node port %d", p.number), listener)
	for {
		conn, err := bounded.Accept()
		if open.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil {
			l.cfg.Logf("node port %d: %v", p.number, err)
			backoff.Pause(open, acceptPause)
			continue
		}
		// Connections outlive a change of the port, as with kube-proxy: they
		// hang on ctx, not on open.
		l.group.Go(func() { l.forward(ctx, *p.target.Load(), conn) })
	}
}

// forward joins a connection to a pod that is ready behind the target.
func (l *Listeners) forward(ctx context.Context, target Target, conn net.Conn) {
	far, err := l.cfg.Dial(ctx, target)
	if err != nil {
		conn.Close()
		if ctx.Err() == nil {
			l.cfg.Logf("a connection to node port of %s was closed: %v", target, err)
		}
		return
	}
	conns.Join(ctx, conn, far)
}

// Wait returns when all listeners and connections are closed. The context of
// Update must have ended, and no Update may follow.
func (l *Listeners) Wait() { l.group.Wait() }
