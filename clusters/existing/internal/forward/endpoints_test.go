package forward

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/fluxdemo/fluxdemo/clusters/internal/nodeport"
)

// slice is the EndpointSlice of a Service web in app with one pod.
func slice(pod string, ready bool) *discoveryv1.EndpointSlice {
	name, port := "http", int32(8080)
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "app", Name: "web-1", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		Ports:      []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
		Endpoints: []discoveryv1.Endpoint{{
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		}},
	}
}

func TestReady(t *testing.T) {
	for name, test := range map[string]struct {
		slice *discoveryv1.EndpointSlice
		to    nodeport.Target
		want  int
	}{
		"ready":           {slice("web-a", true), nodeport.Target{Namespace: "app", Service: "web", PortName: "http"}, 1},
		"not ready":       {slice("web-a", false), nodeport.Target{Namespace: "app", Service: "web", PortName: "http"}, 0},
		"other port":      {slice("web-a", true), nodeport.Target{Namespace: "app", Service: "web", PortName: "metrics"}, 0},
		"other service":   {slice("web-a", true), nodeport.Target{Namespace: "app", Service: "db", PortName: "http"}, 0},
		"other namespace": {slice("web-a", true), nodeport.Target{Namespace: "db", Service: "web", PortName: "http"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEndpoints()
			e.update(test.slice, false)
			if got := e.ready(test.to); len(got) != test.want {
				t.Errorf("ready are %v, want %d", got, test.want)
			}
		})
	}
}

// TestAwait: a connection waits for a pod, gets the one that replaces it, and gives up with its context.
func TestAwait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := fake.NewClientset()
	factory := informers.NewSharedInformerFactory(client, 0)
	e := newEndpoints()
	if err := e.follow(factory); err != nil {
		t.Fatal(err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	to := nodeport.Target{Namespace: "app", Service: "web", PortName: "http"}
	slices := client.DiscoveryV1().EndpointSlices("app")
	if _, err := slices.Create(ctx, slice("web-a", true), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := e.await(ctx, to)
	if err != nil || len(got) != 1 || got[0] != (endpoint{"app", "web-a", 8080}) {
		t.Fatalf("%v, %v", got, err)
	}
	if err := slices.Delete(ctx, "web-1", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for len(got) > 0 { // until the watch has told
		e.mu.Lock()
		changed := e.changed
		got = e.ready(to)
		e.mu.Unlock()
		if len(got) > 0 {
			<-changed
		}
	}
	ended, end := context.WithCancel(ctx)
	end()
	if _, err := e.await(ended, to); !errors.Is(err, context.Canceled) {
		t.Errorf("without a pod: %v", err)
	}
}
