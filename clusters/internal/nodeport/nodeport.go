// Package nodeport lets the NodePort Services of a cluster answer on this
// machine. It follows the Services, listens for each of their TCP node ports
// and joins every connection to one that its owner dials.
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

	"github.com/fluxdemo/fluxdemo/clusters/internal/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
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
	// Dial connects to a pod that is ready behind the target.
	Dial func(ctx context.Context, target Target) (net.Conn, error)
	// Listen opens the port of this machine for a node port. Nil means
	// 127.0.0.1 and the same number.
	Listen func(nodePort int32) (net.Listener, error)
	// Opened, Unavailable and Closed hear what becomes of a node port. One
	// that cannot be opened is reported once and tried again, ever more
	// seldom; late says that it was reported before it opened. They must not
	// call the Listeners.
	Opened      func(nodePort int32, target Target, at net.Addr, late bool)
	Unavailable func(nodePort int32, target Target, err error)
	Closed      func(nodePort int32)
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
	ctx   context.Context // ends listeners and connections alike
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

// New returns Listeners without any port yet. All that they open is closed
// when ctx ends.
func New(ctx context.Context, cfg Config) *Listeners {
	if cfg.Listen == nil {
		cfg.Listen = func(nodePort int32) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", nodePort))
		}
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
	return &Listeners{ctx: ctx, cfg: cfg, ports: map[int32]*port{}, byService: map[string][]int32{}}
}

// Update opens and closes ports so that they match the Service. When it
// returns, every port that is free is open.
func (l *Listeners) Update(service *corev1.Service, deleted bool) {
	wanted := map[int32]*Target{}
	if !deleted {
		wanted = targets(service)
	}
	key := service.Namespace + "/" + service.Name
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
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
		l.add(number, wanted[number])
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
func (l *Listeners) add(number int32, target *Target) {
	ctx, stop := context.WithCancel(l.ctx)
	p := &port{number: number, stop: stop, done: make(chan struct{})}
	p.target.Store(target)
	l.ports[number] = p
	listener, err := l.cfg.Listen(number)
	if err == nil {
		l.cfg.Opened(number, *target, listener.Addr(), false)
		l.group.Go(func() {
			defer close(p.done)
			l.accept(ctx, p, listener)
		})
		return
	}
	l.cfg.Unavailable(number, *target, err)
	l.group.Go(func() {
		defer close(p.done)
		again := func(context.Context) (bool, error) {
			listener, err = l.cfg.Listen(number)
			return err == nil, nil
		}
		if retry().DelayFunc().Until(ctx, false, true, again) != nil {
			return // ctx has ended
		}
		l.cfg.Opened(number, *p.target.Load(), listener.Addr(), true)
		l.accept(ctx, p, listener)
	})
}

func (l *Listeners) accept(ctx context.Context, p *port, listener net.Listener) {
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil {
			l.cfg.Logf("node port %d: %v", p.number, err)
			backoff.Pause(ctx, acceptPause)
			continue
		}
		// Connections outlive a change of the port, as with kube-proxy: they
		// hang on l.ctx, not on the listener's.
		l.group.Go(func() { l.forward(*p.target.Load(), conn) })
	}
}

// forward joins a connection to a pod that is ready behind the target.
func (l *Listeners) forward(target Target, conn net.Conn) {
	far, err := l.cfg.Dial(l.ctx, target)
	if err != nil {
		conn.Close()
		if l.ctx.Err() == nil {
			l.cfg.Logf("a connection to node port of %s was closed: %v", target, err)
		}
		return
	}
	conns.Join(l.ctx, conn, far)
}

// Wait returns when all listeners and connections are closed. The context of
// New must have ended, and no Update may follow.
func (l *Listeners) Wait() { l.group.Wait() }
