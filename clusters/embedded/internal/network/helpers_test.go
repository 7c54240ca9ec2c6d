package network

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// patience of the tests' networks where nothing is to be waited for in vain.
const long = 20 * time.Second

// cluster is a Network with a fake API server and a node's table of ports.
type cluster struct {
	*Network
	client *fake.Clientset
	end    func() // ends Run and waits for it

	mu    sync.Mutex
	ports map[string]string // podIP:port -> local address
	logs  []string
}

func (c *cluster) locate(podIP string, port int32) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	addr, ok := c.ports[net.JoinHostPort(podIP, strconv.Itoa(int(port)))]
	return addr, ok
}

// serve says that the pod's port is served at a local address.
func (c *cluster) serve(podIP string, port int, addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ports[net.JoinHostPort(podIP, strconv.Itoa(port))] = addr
}

func (c *cluster) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logs = append(c.logs, fmt.Sprintf(format, args...))
}

// prepare makes a cluster that is not running yet.
func prepare(t *testing.T, patience time.Duration, change func(*Config), objects ...runtime.Object) *cluster {
	t.Helper()
	c := &cluster{client: fake.NewClientset(objects...), ports: map[string]string{}}
	cfg := Config{
		Client:       c.client,
		Locate:       c.locate,
		EgressSocket: filepath.Join(t.TempDir(), "egress.sock"),
		Logf:         c.logf,
	}
	if change != nil {
		change(&cfg)
	}
	network, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Network = network
	network.resolve.patience = patience
	return c
}

// run runs the cluster until the test ends and returns when it sees changes.
func (c *cluster) run(t *testing.T) *cluster {
	t.Helper()
	var watches sync.WaitGroup
	watches.Add(2)
	seen := map[string]*sync.Once{"services": {}, "endpointslices": {}}
	// What is created between the fake's list and its watch is lost.
	c.client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		w, err := c.client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		if once := seen[action.GetResource().Resource]; once != nil {
			once.Do(watches.Done)
		}
		return true, w, err
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	c.end = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(long):
			t.Error("Run did not end")
		}
	})
	t.Cleanup(c.end)
	watches.Wait()
	return c
}

// start is prepare and run.
func start(t *testing.T, patience time.Duration, objects ...runtime.Object) *cluster {
	t.Helper()
	return prepare(t, patience, nil, objects...).run(t)
}

// httpClient is what a pod's process has: a client that uses the proxy.
func (c *cluster) httpClient(t *testing.T) *http.Client {
	t.Helper()
	proxy, err := url.Parse(c.ProxyURL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// service makes namespace fluxdemo's Service with port 80 named http.
func service(name string, change ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "fluxdemo", Name: name},
		Spec: corev1.ServiceSpec{
			ClusterIP: "10.96.0.10", ClusterIPs: []string{"10.96.0.10"},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}
	for _, f := range change {
		f(s)
	}
	return s
}

func nodePortNumber(number int32) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeNodePort
		s.Spec.Ports[0].NodePort = number
	}
}

type endpoint struct {
	ip    string
	ready bool
}

// slice makes the EndpointSlice of a Service whose port http is the pods' 8080.
func slice(name string, endpoints ...endpoint) *discoveryv1.EndpointSlice {
	return sliceOn(name, map[string]int32{"http": 8080}, endpoints...)
}

func sliceOn(name string, ports map[string]int32, endpoints ...endpoint) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "fluxdemo", Name: name + "-x",
			Labels: map[string]string{discoveryv1.LabelServiceName: name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for portName, number := range ports {
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &portName, Port: &number})
	}
	for _, e := range endpoints {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{e.ip},
			Conditions: discoveryv1.EndpointConditions{Ready: &e.ready},
		})
	}
	return s
}

// update stores the slice in place of the one that is there.
func (c *cluster) update(t *testing.T, s *discoveryv1.EndpointSlice) {
	t.Helper()
	if _, err := c.client.DiscoveryV1().EndpointSlices(s.Namespace).Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// backend starts an HTTP server and gives its address.
func backend(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// says answers every request with text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// freePort gives a port that nobody listens on.
func freePort(t *testing.T) (number int32, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return int32(listener.Addr().(*net.TCPAddr).Port), listener.Addr().String()
}

// eventually waits until ok; it looks often, since what it looks at cannot be watched.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(long)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// awaitWaiter returns when a connection waits for an endpoint of the Service.
func (c *cluster) awaitWaiter(t *testing.T, key string) {
	t.Helper()
	eventually(t, "somebody waits for "+key, func() bool {
		c.resolve.mu.Lock()
		defer c.resolve.mu.Unlock()
		return len(c.resolve.waiters[key]) > 0
	})
}
