package network

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// nodePorts listens on 127.0.0.1 for every TCP node port of the Services, and
// follows their changes.
type nodePorts struct {
	ctx      context.Context // ends listeners and connections alike
	resolve  *resolver
	recorder record.EventRecorder
	logf     func(format string, args ...any)
	// How long to wait before a port that is taken is tried again.
	minPause, maxPause time.Duration

	group sync.WaitGroup

	mu        sync.Mutex
	ports     map[int32]*nodePort
	byService map[string][]int32
}

// nodePort is one port that is to be listened on.
type nodePort struct {
	number int32
	owner  atomic.Pointer[portOwner]
	stop   context.CancelFunc
	done   chan struct{} // closed when the listener is closed
}

// portOwner says whose port it is and where its connections go.
type portOwner struct {
	target servicePort
	ref    *corev1.ObjectReference
}

func newNodePorts(ctx context.Context, resolve *resolver, recorder record.EventRecorder, logf func(string, ...any)) *nodePorts {
	return &nodePorts{
		ctx: ctx, resolve: resolve, recorder: recorder, logf: logf,
		minPause: 500 * time.Millisecond, maxPause: 15 * time.Second,
		ports: map[int32]*nodePort{}, byService: map[string][]int32{},
	}
}

// follow keeps the listeners as the informer's Services want them.
func (p *nodePorts) follow(services cache.SharedIndexInformer) error {
	_, err := services.AddEventHandler(onEach(p.update))
	return err
}

// update starts and stops listeners so that they match the Service.
func (p *nodePorts) update(service *corev1.Service, deleted bool) {
	wanted := map[int32]*portOwner{}
	if !deleted {
		wanted = wantedPorts(service)
	}
	key := service.Namespace + "/" + service.Name
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	for _, number := range p.byService[key] {
		port := p.ports[number]
		// After a new list the port's next owner can be known before its last
		// one is known to be gone: then it is the other's already.
		if wanted[number] == nil && port != nil && port.owner.Load().target.key() == key {
			port.stop()
			<-port.done
			delete(p.ports, number)
		}
	}
	delete(p.byService, key)
	for number, owner := range wanted {
		p.byService[key] = append(p.byService[key], number)
		if port := p.ports[number]; port != nil {
			port.owner.Store(owner)
			continue
		}
		ctx, stop := context.WithCancel(p.ctx)
		port := &nodePort{number: number, stop: stop, done: make(chan struct{})}
		port.owner.Store(owner)
		p.ports[number] = port
		p.group.Go(func() { p.serve(ctx, port) })
	}
}

func wantedPorts(service *corev1.Service) map[int32]*portOwner {
	wanted := map[int32]*portOwner{}
	if service.Spec.Type != corev1.ServiceTypeNodePort && service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return wanted
	}
	for _, port := range service.Spec.Ports {
		if port.NodePort == 0 || !isTCP(port.Protocol) {
			continue
		}
		wanted[port.NodePort] = &portOwner{
			target: servicePort{namespace: service.Namespace, name: service.Name, port: port.Port},
			ref: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "Service", Namespace: service.Namespace, Name: service.Name,
				UID: service.UID, ResourceVersion: service.ResourceVersion,
			},
		}
	}
	return wanted
}

// serve listens on the port until ctx ends. A port that another program has
// is tried again, ever more seldom; it is reported once.
func (p *nodePorts) serve(ctx context.Context, port *nodePort) {
	defer close(port.done)
	addr := fmt.Sprintf("127.0.0.1:%d", port.number)
	reported := false
	for pause := p.minPause; ; pause = min(2*pause, p.maxPause) {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err == nil {
			if reported {
				p.report(port, corev1.EventTypeNormal, "NodePortOpened", "node port %d is open on 127.0.0.1 now", port.number)
			}
			p.accept(ctx, port, listener)
			return
		}
		if ctx.Err() != nil {
			return
		}
		if !reported {
			reported = true
			p.report(port, corev1.EventTypeWarning, "NodePortUnavailable",
				"node port %d cannot be opened on 127.0.0.1, will try again: %v; end the program that has it, or change the Service's nodePort", port.number, err)
		}
		if !pauseFor(ctx, pause) {
			return
		}
	}
}

// report tells the log and the Service's events.
func (p *nodePorts) report(port *nodePort, kind, reason, format string, args ...any) {
	owner := port.owner.Load()
	p.recorder.Eventf(owner.ref, kind, reason, format, args...)
	p.logf("network: "+owner.target.String()+": "+format, args...)
}

func (p *nodePorts) accept(ctx context.Context, port *nodePort, listener net.Listener) {
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
		if err != nil { // too many open files, most likely
			p.logf("network: node port %d: %v", port.number, err)
			if !pauseFor(ctx, p.minPause) {
				return
			}
			continue
		}
		// Connections outlive a change of the port, as with kube-proxy: they
		// hang on the network's context, not on the listener's.
		p.group.Go(func() { p.forward(port.owner.Load().target, conn) })
	}
}

// forward passes a connection to a ready endpoint of target.
func (p *nodePorts) forward(target servicePort, conn net.Conn) {
	far, err := p.resolve.dial(p.ctx, target)
	if err != nil {
		conn.Close()
		if p.ctx.Err() == nil {
			p.logf("network: a connection to node port of %s was closed: %v", target, err)
		}
		return
	}
	splice(p.ctx, conn, far)
}

// wait returns when all listeners and connections are closed. The context
// must have ended, and the informer must have stopped.
func (p *nodePorts) wait() { p.group.Wait() }

// pauseFor waits for d; false means that ctx ended.
func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
