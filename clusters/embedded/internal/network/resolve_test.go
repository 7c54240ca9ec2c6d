package network

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

// get fetches url and gives status and body.
func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServicesByName(t *testing.T) {
	gone := slice("gone", endpoint{"10.244.0.9", false})
	silent := slice("silent", endpoint{"10.244.0.8", true}) // no process of the node
	unset := slice("unset", endpoint{"10.244.0.1", true})
	unset.Endpoints[0].Conditions.Ready = nil
	unnamed := slice("unnamed", endpoint{"10.244.0.1", true})
	unnamed.Ports[0].Name = nil
	c := start(t, 30*time.Millisecond,
		service("git", func(s *corev1.Service) {
			s.Spec.Ports = append(s.Spec.Ports,
				corev1.ServicePort{Name: "metrics", Port: 9090},
				corev1.ServicePort{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP})
		}),
		sliceOn("git", map[string]int32{"http": 8080, "metrics": 8081, "dns": 53},
			endpoint{"10.244.0.1", true}, endpoint{"10.244.0.2", false}),
		service("gone"), gone, service("silent"), silent, service("unset"), unset, service("none"),
		service("unnamed", func(s *corev1.Service) { s.Spec.Ports[0].Name = "" }), unnamed,
		service("headless", func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone }),
		slice("headless", endpoint{"10.244.0.1", true}),
		service("elsewhere", func(s *corev1.Service) {
			s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "example.com"
		}),
	)
	c.serve("10.244.0.1", 8080, backend(t, says("page")))
	c.serve("10.244.0.1", 8081, backend(t, says("metrics")))
	c.serve("10.244.0.2", 8080, backend(t, says("not ready")))
	c.serve("10.244.0.9", 8080, backend(t, says("not ready")))
	client := c.httpClient(t)
	for _, test := range []struct {
		url    string
		status int
		body   string
	}{
		{"http://git.fluxdemo.svc.cluster.local/", 200, "page"},
		{"http://git.fluxdemo.svc.cluster.local./", 200, "page"},
		{"http://Git.fluxdemo.svc.cluster.local:80/", 200, "page"},
		{"http://git.fluxdemo.svc.cluster.local:9090/", 200, "metrics"},
		{"http://unset.fluxdemo.svc.cluster.local/", 200, "page"},
		{"http://unnamed.fluxdemo.svc.cluster.local/", 200, "page"},
		{"http://headless.fluxdemo.svc.cluster.local:8081/", 200, "metrics"},
		{"http://git.fluxdemo.svc.cluster.local:8080/", 502, "Service fluxdemo/git has no TCP port 8080; it has: 80, 9090"},
		{"http://git.fluxdemo.svc.cluster.local:53/", 502, "has no TCP port 53"},
		{"http://nobody.fluxdemo.svc.cluster.local/", 502, "there is no Service fluxdemo/nobody"},
		{"http://git.default.svc.cluster.local/", 502, "there is no Service default/git"},
		{"http://a.b.c.svc.cluster.local/", 502, "does not name a Service"},
		{"http://elsewhere.fluxdemo.svc.cluster.local/", 502, "ExternalName"},
		{"http://gone.fluxdemo.svc.cluster.local/", 503, "Service fluxdemo/gone has no ready endpoint"},
		{"http://silent.fluxdemo.svc.cluster.local/", 503, "has no ready endpoint"},
		{"http://none.fluxdemo.svc.cluster.local/", 503, "has no ready endpoint"},
	} {
		status, body := get(t, client, test.url)
		if status != test.status || !strings.Contains(body, test.body) {
			t.Errorf("%s: %d %q, want %d %q", test.url, status, body, test.status, test.body)
		}
		if status != 200 && strings.Count(body, "\n") != 1 {
			t.Errorf("%s: not one line: %q", test.url, body)
		}
	}
}

func TestRoundRobin(t *testing.T) {
	c := start(t, long, service("git"), service("app"),
		slice("git", endpoint{"10.244.0.1", true}, endpoint{"10.244.0.2", true}),
		slice("app", endpoint{"10.244.0.1", true}, endpoint{"10.244.0.2", true}))
	c.serve("10.244.0.1", 8080, backend(t, says("a")))
	c.serve("10.244.0.2", 8080, backend(t, says("b")))
	client := c.httpClient(t)
	var git, app string
	for range 4 { // one Service's requests do not disturb the other's turns
		_, body := get(t, client, "http://git.fluxdemo.svc.cluster.local/")
		git += body
		_, body = get(t, client, "http://app.fluxdemo.svc.cluster.local/")
		app += body
	}
	if git != "abab" || app != "abab" {
		t.Errorf("turns %s and %s, want abab", git, app)
	}
}

func TestWaitsForEndpoint(t *testing.T) {
	c := start(t, long, service("git"), slice("git", endpoint{"10.244.0.1", false}))
	c.serve("10.244.0.1", 8080, backend(t, says("page")))
	answer := make(chan string, 1)
	client := c.httpClient(t)
	go func() {
		resp, err := client.Post("http://git.fluxdemo.svc.cluster.local/", "text/plain", strings.NewReader("body"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	c.awaitWaiter(t, "fluxdemo/git")
	select {
	case got := <-answer:
		t.Fatalf("an answer before there was an endpoint: %s", got)
	default:
	}
	c.update(t, slice("git", endpoint{"10.244.0.1", true}))
	if got := <-answer; got != "page" {
		t.Errorf("got %q", got)
	}
	eventually(t, "nobody is left waiting", func() bool {
		c.resolve.mu.Lock()
		defer c.resolve.mu.Unlock()
		return len(c.resolve.waiters) == 0
	})
}

// A pod that restarts may be ready in the API while its port is closed.
func TestTriesUntilPortOpens(t *testing.T) {
	c := start(t, long, service("git"), slice("git", endpoint{"10.244.0.1", true}))
	_, addr := freePort(t)
	c.serve("10.244.0.1", 8080, addr)
	answer := make(chan string, 1)
	client := c.httpClient(t)
	go func() {
		resp, err := client.Post("http://git.fluxdemo.svc.cluster.local/", "text/plain", strings.NewReader("once"))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	c.awaitWaiter(t, "fluxdemo/git")
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("the port was taken meanwhile: %v", err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(listener) }()
	if got := <-answer; got != "once" {
		t.Errorf("got %q", got)
	}
}

func TestSkipsDeadEndpoint(t *testing.T) {
	c := start(t, 50*time.Millisecond, service("git"), service("dead"),
		slice("git", endpoint{"10.244.0.1", true}, endpoint{"10.244.0.2", true}),
		slice("dead", endpoint{"10.244.0.1", true}))
	_, closed := freePort(t)
	c.serve("10.244.0.1", 8080, closed)
	c.serve("10.244.0.2", 8080, backend(t, says("alive")))
	client := c.httpClient(t)
	for range 3 {
		if status, body := get(t, client, "http://git.fluxdemo.svc.cluster.local/"); status != 200 || body != "alive" {
			t.Errorf("%d %q", status, body)
		}
	}
	status, body := get(t, client, "http://dead.fluxdemo.svc.cluster.local/")
	if status != 503 || !strings.Contains(body, "is ready but does not answer") {
		t.Errorf("%d %q", status, body)
	}
}

// Until the first list has come, "there is no such Service" would be a lie.
func TestBeforeFirstList(t *testing.T) {
	c := prepare(t, 30*time.Millisecond, func(cfg *Config) {
		client := fake.NewClientset()
		client.PrependReactor("list", "services", unreachable)
		cfg.Client = client
	})
	c.runBlind(t)
	status, body := get(t, c.httpClient(t), "http://git.fluxdemo.svc.cluster.local/")
	if status != 503 || !strings.Contains(body, "not known yet") {
		t.Errorf("%d %q", status, body)
	}
}

func TestFollowsServices(t *testing.T) {
	c := start(t, long)
	c.serve("10.244.0.1", 8080, backend(t, says("page")))
	client := c.httpClient(t)
	const url = "http://git.fluxdemo.svc.cluster.local/"
	if status, _ := get(t, client, url); status != 502 {
		t.Errorf("status %d before the Service exists", status)
	}
	if err := c.client.Tracker().Add(slice("git", endpoint{"10.244.0.1", true})); err != nil {
		t.Fatal(err)
	}
	if err := c.client.Tracker().Add(service("git")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Service answers", func() bool { status, _ := get(t, client, url); return status == 200 })
	if err := c.client.CoreV1().Services("fluxdemo").Delete(t.Context(), "git", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the Service is unknown again", func() bool { status, _ := get(t, client, url); return status == 502 })
}

func TestManyServices(t *testing.T) {
	const count = 3000
	var objects []runtime.Object
	for i := range count {
		name := fmt.Sprintf("s%d", i)
		objects = append(objects, service(name), slice(name, endpoint{fmt.Sprintf("10.244.%d.%d", i/250, i%250), true}))
	}
	c := start(t, long, objects...)
	c.serve("10.244.11.249", 8080, backend(t, says("last")))
	if status, body := get(t, c.httpClient(t), "http://s2999.fluxdemo.svc.cluster.local/"); body != "last" {
		t.Errorf("%d %q", status, body)
	}
	stored := c.resolve.services.GetStore().List()
	if len(stored) != count {
		t.Errorf("%d Services known", len(stored))
	}
}

func TestDropsManagedFields(t *testing.T) {
	big := service("git")
	big.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	c := start(t, long, big)
	<-c.resolve.synced
	obj, _, err := c.resolve.services.GetStore().GetByKey("fluxdemo/git")
	if err != nil {
		t.Fatal(err)
	}
	if got := obj.(*corev1.Service).ManagedFields; got != nil {
		t.Errorf("managed fields are kept: %v", got)
	}
}

func BenchmarkEndpoints(b *testing.B) {
	ports := func(string, int32) (string, bool) { return "127.0.0.1:1", true }
	resolve, err := newResolver(informers.NewSharedInformerFactory(fake.NewClientset(), 0), ports)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 5000 {
		name := fmt.Sprintf("s%d", i)
		if err := errors.Join(resolve.services.GetIndexer().Add(service(name)),
			resolve.slices.GetIndexer().Add(slice(name, endpoint{"10.244.0.1", true}))); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if addrs, _, err := resolve.endpoints(servicePort{"fluxdemo", "s4321", 80}); len(addrs) != 1 {
			b.Fatal(addrs, err)
		}
	}
}
