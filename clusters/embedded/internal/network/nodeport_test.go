package network

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// talk sends a line through a TCP address and gives what comes back.
func talk(addr, line string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, long)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, line); err != nil {
		return "", err
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func answers(addr string) func() bool {
	return func() bool {
		got, err := talk(addr, "hello")
		return err == nil && got == "hello"
	}
}

func isClosed(addr string) func() bool {
	return func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}
}

func (c *cluster) updateService(t *testing.T, s *corev1.Service) {
	t.Helper()
	if _, err := c.client.CoreV1().Services(s.Namespace).Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestNodePortFollowsService(t *testing.T) {
	number, addr := freePort(t)
	next, nextAddr := freePort(t)
	c := start(t, long, slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, echoAtEnd(t))
	if _, err := c.client.CoreV1().Services("fluxdemo").Create(t.Context(),
		service("git", nodePortNumber(number)), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node port answers", answers(addr))

	c.updateService(t, service("git", nodePortNumber(next)))
	eventually(t, "the new node port answers", answers(nextAddr))
	eventually(t, "the old node port is closed", isClosed(addr))

	c.updateService(t, service("git", nodePortNumber(number), func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
	}))
	eventually(t, "the load balancer's node port answers", answers(addr))

	c.updateService(t, service("git"))
	eventually(t, "no node port is open", isClosed(addr))

	c.updateService(t, service("git", nodePortNumber(number)))
	eventually(t, "the node port is open again", answers(addr))
	if err := c.client.CoreV1().Services("fluxdemo").Delete(t.Context(), "git", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the port closes with its Service", isClosed(addr))
}

// A Service's port can be another's before the first is known to be gone.
func TestNodePortChangesOwner(t *testing.T) {
	number, addr := freePort(t)
	c := start(t, long, service("old", nodePortNumber(number)),
		slice("old", endpoint{"10.244.0.1", true}), slice("new", endpoint{"10.244.0.2", true}))
	c.serve("10.244.0.1", 8080, backend(t, says("old")))
	c.serve("10.244.0.2", 8080, echoAtEnd(t))
	eventually(t, "the port is open", func() bool { return !isClosed(addr)() })
	if err := c.client.Tracker().Add(service("new", nodePortNumber(number))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new owner answers", answers(addr))
	if err := c.client.CoreV1().Services("fluxdemo").Delete(t.Context(), "old", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old owner is unknown", func() bool {
		_, exists, err := c.resolve.services.GetStore().GetByKey("fluxdemo/old")
		return err == nil && !exists
	})
	for range 20 {
		if !answers(addr)() {
			t.Fatal("the new owner lost its port")
		}
	}
}

func TestNodePortOccupied(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	addr := other.Addr().String()
	number := int32(other.Addr().(*net.TCPAddr).Port)
	c := start(t, long, service("git", nodePortNumber(number)), slice("git", endpoint{"10.244.0.1", true}))
	c.serve("10.244.0.1", 8080, echoAtEnd(t))
	event := func(reason string) func() bool {
		return func() bool {
			events, err := c.client.CoreV1().Events("fluxdemo").List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events.Items {
				if e.Reason == reason && e.InvolvedObject.Kind == "Service" && e.InvolvedObject.Name == "git" &&
					strings.Contains(e.Message, fmt.Sprint(number)) {
					return true
				}
			}
			return false
		}
	}
	eventually(t, "an event says that the port is taken", event("NodePortUnavailable"))
	c.mu.Lock()
	logs := strings.Join(c.logs, "\n")
	c.mu.Unlock()
	if !strings.Contains(logs, "cannot be opened") || !strings.Contains(logs, "fluxdemo/git") {
		t.Errorf("the log does not tell: %q", logs)
	}
	other.Close()
	eventually(t, "the port is ours once it is free", answers(addr))
	eventually(t, "an event says that the port is open", event("NodePortOpened"))
}

func TestNodePortWaitsForEndpoint(t *testing.T) {
	number, addr := freePort(t)
	c := start(t, long, service("git", nodePortNumber(number)), slice("git", endpoint{"10.244.0.1", false}))
	c.serve("10.244.0.1", 8080, echoAtEnd(t))
	eventually(t, "the port is open", func() bool { return !isClosed(addr)() })
	answer := make(chan string, 1)
	go func() {
		got, err := talk(addr, "reload")
		answer <- fmt.Sprint(got, err)
	}()
	c.awaitWaiter(t, "fluxdemo/git")
	c.update(t, slice("git", endpoint{"10.244.0.1", true}))
	if got := <-answer; got != "reload<nil>" {
		t.Errorf("got %q", got)
	}
}

func TestNodePortGivesUp(t *testing.T) {
	number, addr := freePort(t)
	c := start(t, 20*time.Millisecond, service("git", nodePortNumber(number)))
	eventually(t, "the port is open", func() bool { return !isClosed(addr)() })
	if got, err := talk(addr, ""); got != "" {
		t.Errorf("got %q, %v", got, err)
	}
	c.end()
	if !isClosed(addr)() {
		t.Error("the port outlived the network")
	}
}
