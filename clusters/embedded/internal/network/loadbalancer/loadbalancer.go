// Package loadbalancer gives Services of type LoadBalancer the address
// 127.0.0.1, and listens on their ports there. Of a port that it cannot have,
// the Service's status says so, and an event names the NodePort instead.
package loadbalancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
	"github.com/fluxdemo/fluxdemo/clusters/internal/informer"
	"github.com/fluxdemo/fluxdemo/clusters/internal/limit"
)

// address is that of all load balancers.
const address = "127.0.0.1"

// What a port's status says when the port does not answer.
const (
	errorTaken    = "fluxdemo.github.io/PortTaken"
	errorRights   = "fluxdemo.github.io/PortNeedsRights"
	errorReserved = "fluxdemo.github.io/PortReserved"
	errorProtocol = "fluxdemo.github.io/ProtocolNotTCP"
	errorOther    = "fluxdemo.github.io/PortUnavailable"
)

const (
	requestTimeout = 10 * time.Second
	// again is when a port that is taken is tried again.
	again       = 5 * time.Second
	acceptPause = 500 * time.Millisecond
)

// Config is what a Balancer needs. Reserved and Logf may be nil.
type Config struct {
	Client   corev1client.ServicesGetter
	Services cache.SharedIndexInformer
	Events   record.EventRecorder
	// Dial connects to a pod that is ready behind the port of a Service.
	Dial func(ctx context.Context, namespace, service string, port int32) (net.Conn, error)
	// Pool bounds the connections.
	Pool *limit.Pool
	// Reserved says which ports of this machine are for others.
	Reserved func(port int32) bool
	Logf     func(format string, args ...any)
}

// Balancer serves the Services of type LoadBalancer. Make it with New, before
// the informer starts, and call Run once.
type Balancer struct {
	cfg   Config
	queue workqueue.TypedRateLimitingInterface[string]
	group sync.WaitGroup
	ports map[int32]*port // of the worker alone
}

// port is one that is open on 127.0.0.1.
type port struct {
	service  string // namespace/name
	number   int32
	listener net.Listener
}

// New returns a Balancer that has heard of no Service yet.
func New(cfg Config) (*Balancer, error) {
	if cfg.Reserved == nil {
		cfg.Reserved = func(int32) bool { return false }
	}
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	b := &Balancer{cfg: cfg, ports: map[int32]*port{}, queue: workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[string](100*time.Millisecond, 10*time.Second))}
	_, err := cfg.Services.AddEventHandler(informer.OnEach(func(service *corev1.Service, _ bool) {
		b.queue.Add(service.Namespace + "/" + service.Name)
	}))
	if err != nil {
		return nil, fmt.Errorf("preparing the watch on load balancers: %w", err)
	}
	return b, nil
}

// Run serves load balancers until ctx ends. Then it closes all ports and their
// connections.
func (b *Balancer) Run(ctx context.Context) {
	defer b.group.Wait()
	defer context.AfterFunc(ctx, b.queue.ShutDown)()
	for {
		key, ended := b.queue.Get()
		if ended {
			break
		}
		retry, err := b.sync(ctx, key)
		switch {
		case err != nil && ctx.Err() == nil:
			b.cfg.Logf("load balancer %s: %v", key, err)
			b.queue.AddRateLimited(key)
		case retry:
			b.queue.Forget(key)
			b.queue.AddAfter(key, again)
		default:
			b.queue.Forget(key)
		}
		b.queue.Done(key)
	}
	for _, p := range b.ports {
		p.listener.Close()
	}
}

// sync makes the open ports and the status of a Service as they should be. It
// reports whether it is worth another try later.
func (b *Balancer) sync(ctx context.Context, key string) (retry bool, err error) {
	object, exists, err := b.cfg.Services.GetStore().GetByKey(key)
	if err != nil {
		return false, err
	}
	service, ok := object.(*corev1.Service)
	if !exists || !ok || service.Spec.Type != corev1.ServiceTypeLoadBalancer || service.Spec.LoadBalancerClass != nil || service.DeletionTimestamp != nil {
		b.closeAllBut(key, nil)
		return false, nil
	}
	b.closeAllBut(key, service.Spec.Ports)
	statuses, problems := make([]corev1.PortStatus, 0, len(service.Spec.Ports)), make([]error, len(service.Spec.Ports))
	for i, wanted := range service.Spec.Ports {
		status := corev1.PortStatus{Port: wanted.Port, Protocol: wanted.Protocol}
		if err := b.open(ctx, key, wanted); err != nil {
			code := err.code
			status.Error, problems[i] = &code, err
			retry = retry || code == errorTaken
		}
		statuses = append(statuses, status)
	}
	mode := corev1.LoadBalancerIPModeVIP // what the API server sets
	next := []corev1.LoadBalancerIngress{{IP: address, IPMode: &mode, Ports: statuses}}
	before := service.Status.LoadBalancer.Ingress
	if equality.Semantic.DeepEqual(before, next) {
		return retry, nil
	}
	if err := b.write(ctx, service, next); err != nil {
		return retry, err
	}
	b.tell(service, before, statuses, problems)
	return retry, nil
}

// tell records an event for each port of which the status has changed.
func (b *Balancer) tell(service *corev1.Service, before []corev1.LoadBalancerIngress, statuses []corev1.PortStatus, problems []error) {
	for i, status := range statuses {
		if len(before) == 1 && slices.ContainsFunc(before[0].Ports, func(old corev1.PortStatus) bool { return equality.Semantic.DeepEqual(old, status) }) {
			continue
		}
		if problems[i] == nil {
			b.cfg.Events.Eventf(service, corev1.EventTypeNormal, "EnsuredLoadBalancer", "port %d answers on %s:%d", status.Port, address, status.Port)
			continue
		}
		instead := "`kubectl port-forward`"
		if nodePort := service.Spec.Ports[i].NodePort; nodePort != 0 && isTCP(status.Protocol) {
			instead = fmt.Sprintf("%s:%d, the Service's NodePort", address, nodePort)
		}
		b.cfg.Events.Eventf(service, corev1.EventTypeWarning, "LoadBalancerPortUnavailable",
			"port %d does not answer on %s: %v; use %s", status.Port, address, problems[i], instead)
	}
}

// write writes the status of the Service.
func (b *Balancer) write(ctx context.Context, service *corev1.Service, ingress []corev1.LoadBalancerIngress) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": service.UID}, // a precondition
		"status":   map[string]any{"loadBalancer": corev1.LoadBalancerStatus{Ingress: ingress}},
	})
	if err != nil {
		return fmt.Errorf("encoding its status: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err = b.cfg.Client.Services(service.Namespace).Patch(ctx, service.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // it has been deleted, or replaced
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing its status: %w", err)
	}
	return nil
}

// portError says why a port does not answer.
type portError struct {
	code    string
	message string
}

func (e *portError) Error() string { return e.message }

// open listens on a Service's port, unless that is so already.
func (b *Balancer) open(ctx context.Context, key string, wanted corev1.ServicePort) *portError {
	number := wanted.Port
	p := b.ports[number]
	switch {
	case !isTCP(wanted.Protocol):
		return &portError{errorProtocol, fmt.Sprintf("the embedded cluster forwards TCP and not %s", wanted.Protocol)}
	case p != nil && p.service == key || number == wanted.NodePort:
		return nil
	case p != nil:
		return &portError{errorTaken, "Service " + p.service + " has it"}
	case b.cfg.Reserved(number):
		return &portError{errorReserved, "clusters have it for their own ports"}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("%s:%d", address, number))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &portError{errorTaken, "another program has it"}
	case errors.Is(err, syscall.EACCES):
		return &portError{errorRights, "it needs an administrator's rights"}
	case err != nil:
		return &portError{errorOther, err.Error()}
	}
	p = &port{service: key, number: number, listener: b.cfg.Pool.Listener(fmt.Sprintf("load balancer %d", number), listener)}
	b.ports[number] = p
	b.group.Go(func() { b.accept(ctx, p) })
	return nil
}

// closeAllBut closes those ports of a Service that are not wanted. Connections
// outlive that, as with kube-proxy.
func (b *Balancer) closeAllBut(key string, wanted []corev1.ServicePort) {
	for number, p := range b.ports {
		if p.service == key && !slices.ContainsFunc(wanted, func(w corev1.ServicePort) bool { return w.Port == number && isTCP(w.Protocol) }) {
			p.listener.Close()
			delete(b.ports, number)
		}
	}
}

// accept takes connections until the port is closed. They end with ctx.
func (b *Balancer) accept(ctx context.Context, p *port) {
	namespace, name, _ := strings.Cut(p.service, "/")
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many files are open, most likely
			b.cfg.Logf("load balancer %s: port %d: %v", p.service, p.number, err)
			if !backoff.Pause(ctx, acceptPause) {
				return
			}
			continue
		}
		b.group.Go(func() {
			far, err := b.cfg.Dial(ctx, namespace, name, p.number)
			if err != nil {
				conn.Close()
				if ctx.Err() == nil {
					b.cfg.Logf("load balancer %s: a connection to port %d was closed: %v", p.service, p.number, err)
				}
				return
			}
			conns.Join(ctx, conn, far)
		})
	}
}

func isTCP(protocol corev1.Protocol) bool { return protocol == corev1.ProtocolTCP || protocol == "" }
