package network

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/internal/informer"
)

const (
	byService   = "service"   // index of EndpointSlices: namespace/name of the Service
	byClusterIP = "clusterIP" // index of Services

	// endpointWait is how long a connection waits for a ready endpoint: long
	// enough for a pod that is just restarting.
	endpointWait = 3 * time.Second
)

// resolver finds the local addresses behind a Service and waits for them.
type resolver struct {
	services cache.SharedIndexInformer
	slices   cache.SharedIndexInformer
	locate   func(podIP string, port int32) (string, bool)
	patience time.Duration
	synced   chan struct{} // closed when both informers have the first list

	mu      sync.Mutex
	turns   map[string]uint // the next endpoint's number, by Service
	waiters map[string]map[chan struct{}]bool
}

func newResolver(factory informers.SharedInformerFactory, locate func(string, int32) (string, bool)) (*resolver, error) {
	r := &resolver{
		services: factory.Core().V1().Services().Informer(),
		slices:   factory.Discovery().V1().EndpointSlices().Informer(),
		locate:   locate,
		patience: endpointWait,
		synced:   make(chan struct{}),
		turns:    map[string]uint{},
		waiters:  map[string]map[chan struct{}]bool{},
	}
	if err := r.services.AddIndexers(cache.Indexers{byClusterIP: func(obj any) ([]string, error) {
		service, ok := obj.(*corev1.Service)
		if !ok || service.Spec.ClusterIP == corev1.ClusterIPNone {
			return nil, nil
		}
		return service.Spec.ClusterIPs, nil
	}}); err != nil {
		return nil, err
	}
	if err := r.slices.AddIndexers(cache.Indexers{byService: func(obj any) ([]string, error) {
		slice, ok := obj.(*discoveryv1.EndpointSlice)
		if !ok || slice.Labels[discoveryv1.LabelServiceName] == "" {
			return nil, nil
		}
		return []string{slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]}, nil
	}}); err != nil {
		return nil, err
	}
	if _, err := r.services.AddEventHandler(informer.OnEach(func(service *corev1.Service, deleted bool) {
		r.wake(service.Namespace+"/"+service.Name, deleted)
	})); err != nil {
		return nil, err
	}
	_, err := r.slices.AddEventHandler(informer.OnEach(func(slice *discoveryv1.EndpointSlice, _ bool) {
		r.wake(slice.Namespace+"/"+slice.Labels[discoveryv1.LabelServiceName], false)
	}))
	return r, err
}

// awaitSync lets lookups through once both informers know the cluster.
func (r *resolver) awaitSync(ctx context.Context) {
	if cache.WaitFor(ctx, "", r.services.HasSyncedChecker(), r.slices.HasSyncedChecker()) {
		close(r.synced)
	}
}

// wake tells those who wait for an endpoint of the Service to look again.
func (r *resolver) wake(key string, deleted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if deleted {
		delete(r.turns, key)
	}
	for changed := range r.waiters[key] {
		select {
		case changed <- struct{}{}:
		default: // it is to look again already
		}
	}
}

// watch gives a channel that receives when the Service or its endpoints
// changed, and a function that ends the watch.
func (r *resolver) watch(key string) (changed chan struct{}, end func()) {
	changed = make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiters[key] == nil {
		r.waiters[key] = map[chan struct{}]bool{}
	}
	r.waiters[key][changed] = true
	return changed, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.waiters[key], changed)
		if len(r.waiters[key]) == 0 {
			delete(r.waiters, key)
		}
	}
}

// turn counts the calls for each Service: 0, 1, 2 and so on.
func (r *resolver) turn(key string) uint {
	r.mu.Lock()
	defer r.mu.Unlock()
	turn := r.turns[key]
	r.turns[key] = turn + 1
	return turn
}

// awaitSynced waits until lookups can be trusted.
func (r *resolver) awaitSynced(ctx context.Context) error {
	select {
	case <-r.synced:
		return nil
	case <-ctx.Done():
		return fail(http.StatusServiceUnavailable,
			"the cluster's Services are not known yet; `fluxdemo status` shows whether the API server runs")
	}
}

// reach calls try with the address of a ready endpoint. When there is none, or
// when try's error is a dialError from every one of them, it waits for a change
// for a while and starts over; any other result of try is final.
func (r *resolver) reach(ctx context.Context, target servicePort, try func(addr string) error) error {
	patient, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	if err := r.awaitSynced(patient); err != nil {
		return err
	}
	changed, end := r.watch(target.key())
	defer end()
	// A process that opens its port cannot be watched: endpoints that are ready
	// but do not answer are tried again, ever more seldom.
	retry := backoff.Backoff{Min: 10 * time.Millisecond, Max: 250 * time.Millisecond}
	for {
		addrs, ready, err := r.endpoints(target)
		if err != nil {
			return err
		}
		var refused error
		if len(addrs) > 0 {
			first := r.turn(target.key())
			for i := range addrs {
				err := try(addrs[(first+uint(i))%uint(len(addrs))])
				if _, ok := errors.AsType[*dialError](err); !ok {
					return err
				}
				refused = err
			}
		}
		var again <-chan time.Time
		if ready {
			again = time.After(retry.Next())
		}
		select {
		case <-changed:
		case <-again:
		case <-patient.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if refused != nil {
				return fail(http.StatusServiceUnavailable, "%s is ready but does not answer: %v", target, refused)
			}
			return fail(http.StatusServiceUnavailable,
				"%s has no ready endpoint; `kubectl get pods -n %s` shows why", target, target.namespace)
		}
	}
}

// dial connects to a ready endpoint of target.
func (r *resolver) dial(ctx context.Context, target servicePort) (conn net.Conn, err error) {
	err = r.reach(ctx, target, func(addr string) (err error) {
		conn, err = dialLocal(ctx, "tcp", addr)
		return err
	})
	return conn, err
}

// dialError marks that nothing was sent yet: another endpoint may be tried.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// dialLocal connects to a process of the node; its errors are dialErrors.
func dialLocal(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: endpointWait}
	conn, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, &dialError{err}
	}
	return conn, nil
}

// endpoints gives the local addresses of target's ready endpoints. ready says
// that there are some, even if the node does not know the address of any.
func (r *resolver) endpoints(target servicePort) (addrs []string, ready bool, err error) {
	obj, exists, err := r.services.GetIndexer().GetByKey(target.key())
	if err != nil {
		return nil, false, err
	}
	service, ok := obj.(*corev1.Service)
	if !exists || !ok {
		return nil, false, fail(http.StatusBadGateway,
			"there is no %s; `kubectl get services -A` lists them", target)
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return nil, false, fail(http.StatusBadGateway,
			"%s is an ExternalName, which the embedded cluster does not follow", target)
	}
	portName, direct, err := findPort(service, target)
	if err != nil {
		return nil, false, err
	}
	slices, err := r.slices.GetIndexer().ByIndex(byService, target.key())
	if err != nil {
		return nil, false, err
	}
	for _, obj := range slices {
		slice, ok := obj.(*discoveryv1.EndpointSlice)
		if !ok || slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		port := target.port
		if !direct {
			if port = slicePort(slice, portName); port == 0 {
				continue
			}
		}
		for _, endpoint := range slice.Endpoints {
			isReady := endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
			if !isReady || len(endpoint.Addresses) == 0 {
				continue
			}
			ready = true
			if addr, ok := r.locate(endpoint.Addresses[0], port); ok {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs, ready, nil
}

// findPort gives the name of the Service's port, by which EndpointSlices know
// it. direct says that the Service is headless: its name stands for the pods
// themselves, and the port is theirs.
func findPort(service *corev1.Service, target servicePort) (name string, direct bool, err error) {
	if service.Spec.ClusterIP == corev1.ClusterIPNone {
		return "", true, nil
	}
	var numbers []string
	for _, port := range service.Spec.Ports {
		if !isTCP(port.Protocol) {
			continue
		}
		if port.Port == target.port {
			return port.Name, false, nil
		}
		numbers = append(numbers, strconv.Itoa(int(port.Port)))
	}
	return "", false, fail(http.StatusBadGateway,
		"%s has no TCP port %d; it has: %s", target, target.port, strings.Join(numbers, ", "))
}

func slicePort(slice *discoveryv1.EndpointSlice, name string) int32 {
	for _, port := range slice.Ports {
		sameName := port.Name != nil && *port.Name == name || port.Name == nil && name == ""
		if sameName && port.Port != nil && (port.Protocol == nil || isTCP(*port.Protocol)) {
			return *port.Port
		}
	}
	return 0
}

func isTCP(protocol corev1.Protocol) bool {
	return protocol == "" || protocol == corev1.ProtocolTCP
}
