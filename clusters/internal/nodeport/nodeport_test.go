package nodeport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// recorder keeps what Listeners report.
type recorder struct {
	mu      sync.Mutex
	reports []string
	at      map[int32]string // addresses of the open ports
	taken   map[int32]bool   // ports that cannot be opened
}

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, fmt.Sprintf(format, args...))
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.reports
	r.reports = nil
	return all
}

// listeners listens on any port for each node port; a connection is answered
// with the name of its target.
func listeners(t *testing.T, r *recorder) *Listeners {
	t.Helper()
	r.at, r.taken = map[int32]string{}, map[int32]bool{}
	l := New(Config{
		Dial: func(_ context.Context, target Target) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				fmt.Fprintf(far, "%s:%s", target, target.PortName)
				far.Close()
			}()
			return near, nil
		},
		Listen: func(_ context.Context, number int32) (net.Listener, error) {
			if r.taken[number] {
				return nil, errors.New("taken")
			}
			return net.Listen("tcp", "127.0.0.1:0")
		},
		Opened: func(number int32, target Target, at net.Addr, late bool) {
			r.at[number] = at.String()
			r.add("opened %d of %s, late: %v", number, target, late)
		},
		Unavailable: func(number int32, _ Target, err error) { r.add("unavailable %d: %v", number, err) },
		Closed:      func(number int32) { r.add("closed %d", number) },
		Logf:        func(format string, args ...any) { r.add(format, args...) },
	})
	t.Cleanup(l.Wait) // t's context has ended then
	return l
}

func service(name string, kind corev1.ServiceType, nodePorts ...int32) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}, Spec: corev1.ServiceSpec{Type: kind}}
	for _, number := range nodePorts {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "http", Port: 80, NodePort: number})
	}
	return s
}

func TestUpdate(t *testing.T) {
	const nodePort, clusterIP = corev1.ServiceTypeNodePort, corev1.ServiceTypeClusterIP
	udp := service("dns", nodePort, 4)
	udp.Spec.Ports[0].Protocol = corev1.ProtocolUDP
	var r recorder
	l := listeners(t, &r)
	r.taken[9] = true
	for _, step := range []struct {
		what    string
		service *corev1.Service
		deleted bool
		want    []string
	}{
		{"two ports", service("a", nodePort, 2, 1), false, []string{"opened 1 of Service n/a, late: false", "opened 2 of Service n/a, late: false"}},
		{"no change", service("a", nodePort, 1, 2), false, nil},
		{"one goes", service("a", nodePort, 1), false, []string{"closed 2"}},
		{"no TCP", udp, false, nil},
		{"a next owner", service("b", corev1.ServiceTypeLoadBalancer, 1), false, nil},
		{"the last owner goes", service("a", nodePort, 1), true, nil},
		{"no node port", service("b", clusterIP, 1), false, []string{"closed 1"}},
		{"taken", service("c", nodePort, 9), false, []string{"unavailable 9: taken"}},
		{"taken and gone", service("c", nodePort, 9), true, []string{"closed 9"}},
	} {
		l.Update(t.Context(), step.service, step.deleted)
		if got := r.take(); !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
	}
}

func TestConnection(t *testing.T) {
	var r recorder
	l := listeners(t, &r)
	for _, name := range []string{"a", "b"} { // the port changes its owner
		l.Update(t.Context(), service(name, corev1.ServiceTypeNodePort, 1), false)
		conn, err := net.Dial("tcp", r.at[1])
		if err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(conn)
		conn.Close()
		if want := "Service n/" + name + ":http"; err != nil || string(said) != want {
			t.Errorf("%q, %v; want %q", said, err, want)
		}
	}
}
