package forward

import (
	"context"
	"fmt"
	"sync"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/informers"

	"github.com/fluxdemo/fluxdemo/clusters/internal/informer"
	"github.com/fluxdemo/fluxdemo/clusters/internal/nodeport"
)

// endpoint is a port of a pod.
type endpoint struct {
	namespace, pod string
	port           int32
}

// endpoints knows which pods are ready behind the Services.
type endpoints struct {
	mu      sync.Mutex
	slices  map[string]*discoveryv1.EndpointSlice // by namespace/name
	changed chan struct{}                         // closed at the next change
}

func newEndpoints() *endpoints {
	return &endpoints{slices: map[string]*discoveryv1.EndpointSlice{}, changed: make(chan struct{})}
}

// follow keeps up with the EndpointSlices of an informer factory.
func (e *endpoints) follow(factory informers.SharedInformerFactory) error {
	_, err := factory.Discovery().V1().EndpointSlices().Informer().AddEventHandler(informer.OnEach(e.update))
	return err
}

func (e *endpoints) update(slice *discoveryv1.EndpointSlice, deleted bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if deleted {
		delete(e.slices, slice.Namespace+"/"+slice.Name)
	} else {
		e.slices[slice.Namespace+"/"+slice.Name] = slice
	}
	close(e.changed)
	e.changed = make(chan struct{})
}

// await returns the endpoints that are ready behind a target; it waits until
// there is one, or ctx ends.
func (e *endpoints) await(ctx context.Context, t nodeport.Target) ([]endpoint, error) {
	for {
		e.mu.Lock()
		ready, changed := e.ready(t), e.changed
		e.mu.Unlock()
		if len(ready) > 0 {
			return ready, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("service %s/%s has no ready pod: %w", t.Namespace, t.Service, ctx.Err())
		}
	}
}

func (e *endpoints) ready(t nodeport.Target) (found []endpoint) {
	for _, slice := range e.slices {
		if slice.Namespace != t.Namespace || slice.Labels[discoveryv1.LabelServiceName] != t.Service {
			continue
		}
		for _, port := range slice.Ports {
			if port.Port == nil || port.Name != nil && *port.Name != t.PortName {
				continue
			}
			for _, each := range slice.Endpoints {
				if each.TargetRef != nil && each.TargetRef.Kind == "Pod" && (each.Conditions.Ready == nil || *each.Conditions.Ready) {
					found = append(found, endpoint{slice.Namespace, each.TargetRef.Name, *port.Port})
				}
			}
		}
	}
	return found
}
