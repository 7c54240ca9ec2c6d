package network

import (
	"fmt"
	"net"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// balanced makes a Service of type LoadBalancer with this port.
func balanced(number int32, change ...func(*corev1.Service)) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		s.Spec.Ports[0].Port, s.Spec.Ports[0].Protocol = number, corev1.ProtocolTCP
		for _, f := range change {
			f(s)
		}
	}
}

// portErrors returns what a Service's status says of its ports, and whether it
// has the address 127.0.0.1.
func (c *cluster) portErrors(t *testing.T, name string) (errors []string, has bool) {
	t.Helper()
	s, err := c.client.CoreV1().Services("fluxdemo").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ingress := s.Status.LoadBalancer.Ingress
	if len(ingress) != 1 || ingress[0].IP != "127.0.0.1" {
		return nil, false
	}
	for _, p := range ingress[0].Ports {
		if p.Error == nil {
			errors = append(errors, "")
		} else {
			errors = append(errors, strings.TrimPrefix(*p.Error, "fluxdemo.github.io/"))
		}
	}
	return errors, true
}

func (c *cluster) awaitStatus(t *testing.T, name, want string) {
	t.Helper()
	eventually(t, fmt.Sprintf("the status of %s says %q", name, want), func() bool {
		errors, has := c.portErrors(t, name)
		return has && strings.Join(errors, ",") == want
	})
}

func (c *cluster) awaitEvent(t *testing.T, kind, name, reason, text string) {
	t.Helper()
	eventually(t, fmt.Sprintf("an event %s of %s %s says %q", reason, kind, name, text), func() bool {
		events, err := c.client.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events.Items {
			if e.InvolvedObject.Kind == kind && e.InvolvedObject.Name == name && e.Reason == reason && strings.Contains(e.Message, text) {
				return true
			}
		}
		return false
	})
}

func (c *cluster) createService(t *testing.T, s *corev1.Service) {
	t.Helper()
	if _, err := c.client.CoreV1().Services(s.Namespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestLoadBalancerFollowsService(t *testing.T) {
	number, addr := freePort(t)
	next, nextAddr := freePort(t)
	c := start(t, long, slice("web", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, echoAtEnd(t))
	c.createService(t, service("web", balanced(number)))
	c.awaitStatus(t, "web", "")
	eventually(t, "the port answers", answers(addr))
	c.awaitEvent(t, "Service", "web", "EnsuredLoadBalancer", addr)

	c.updateService(t, service("web", balanced(next)))
	eventually(t, "the new port answers", answers(nextAddr))
	eventually(t, "the old port is closed", isClosed(addr))
	c.updateService(t, service("web"))
	eventually(t, "the port of a Service of another type is closed", isClosed(nextAddr))
	c.updateService(t, service("web", balanced(number)))
	eventually(t, "the port answers again", answers(addr))
	if err := c.client.CoreV1().Services("fluxdemo").Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the port closes with its Service", isClosed(addr))
}

func TestLoadBalancerPorts(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := int32(other.Addr().(*net.TCPAddr).Port)
	free, addr := freePort(t)
	node, nodeAddr := freePort(t)
	class := "example.org/other"
	c := prepare(t, long, func(cfg *Config) {
		cfg.Reserved = func(port int32) bool { return port == 30123 }
	}, slice("web", endpoint{"10.244.0.1", true}), slice("second", endpoint{"10.244.0.1", true})).run(t)
	c.serve("10.244.0.1", 8080, echoAtEnd(t))

	c.createService(t, service("web", balanced(free, func(s *corev1.Service) {
		s.Spec.Ports = append(s.Spec.Ports,
			corev1.ServicePort{Name: "taken", Port: taken, NodePort: 30999, Protocol: corev1.ProtocolTCP},
			corev1.ServicePort{Name: "udp", Port: 53, NodePort: 30998, Protocol: corev1.ProtocolUDP},
			corev1.ServicePort{Name: "reserved", Port: 30123, Protocol: corev1.ProtocolTCP})
	})))
	c.awaitStatus(t, "web", ",PortTaken,ProtocolNotTCP,PortReserved")
	eventually(t, "the free port answers", answers(addr))
	const reason = "LoadBalancerPortUnavailable"
	c.awaitEvent(t, "Service", "web", reason, fmt.Sprintf("port %d does not answer on 127.0.0.1: another program has it; use 127.0.0.1:30999, the Service's NodePort", taken))
	c.awaitEvent(t, "Service", "web", reason, "port 53 does not answer on 127.0.0.1: the embedded cluster forwards TCP and not UDP; use `kubectl port-forward`")
	c.awaitEvent(t, "Service", "web", reason, "port 30123 does not answer")

	// Two Services of one cluster want the same port.
	c.createService(t, service("second", balanced(free, func(s *corev1.Service) { s.Spec.Ports[0].NodePort = node })))
	c.awaitStatus(t, "second", "PortTaken")
	c.awaitEvent(t, "Service", "second", reason, "Service fluxdemo/web has it; use "+nodeAddr)
	eventually(t, "its NodePort answers", answers(nodeAddr))
	if err := c.client.CoreV1().Services("fluxdemo").Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.awaitStatus(t, "second", "")

	// Its node port has the same number.
	same, sameAddr := freePort(t)
	c.updateService(t, service("second", balanced(same, func(s *corev1.Service) { s.Spec.Ports[0].NodePort = same })))
	eventually(t, "the port answers", answers(sameAddr))
	c.awaitStatus(t, "second", "")

	c.createService(t, service("foreign", balanced(same, func(s *corev1.Service) { s.Spec.LoadBalancerClass = &class })))
	c.createService(t, service("last", balanced(free)))
	c.awaitStatus(t, "last", "")
	if _, has := c.portErrors(t, "foreign"); has {
		t.Error("a Service of another class has an address")
	}
}

func TestIngressIsNamed(t *testing.T) {
	c := start(t, long, &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "fluxdemo"}})
	c.awaitEvent(t, "Ingress", "web", "NoIngressController", "has no ingress controller")
}
