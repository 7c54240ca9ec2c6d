package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/pki"
)

// asAPIServer is how the API server calls the kubelet API.
func (w *world) asAPIServer() *rest.Config {
	return &rest.Config{Host: "https://" + w.node.Addr(), TLSClientConfig: rest.TLSClientConfig{
		CAFile: w.keys.CAFile(), CertFile: w.keys.CertFile(pki.KubeletClient), KeyFile: w.keys.KeyFile(pki.KubeletClient),
	}}
}

func (w *world) exec(pod, input string, command ...string) (stdout, stderr string, err error) {
	w.t.Helper()
	query := url.Values{"command": command, "input": {"1"}, "output": {"1"}, "error": {"1"}}
	target := &url.URL{Scheme: "https", Host: w.node.Addr(), Path: "/exec/default/" + pod + "/main", RawQuery: query.Encode()}
	executor, err := remotecommand.NewSPDYExecutor(w.asAPIServer(), http.MethodPost, target)
	if err != nil {
		w.t.Fatal(err)
	}
	var out, errors bytes.Buffer
	err = executor.StreamWithContext(w.t.Context(), remotecommand.StreamOptions{Stdin: strings.NewReader(input), Stdout: &out, Stderr: &errors})
	return out.String(), errors.String(), err
}

func TestExec(t *testing.T) {
	w := newWorld(t)
	c := serving()
	c.Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}}
	w.create(newTestPod("web", c))
	w.create(newTestPod("sim", corev1.Container{Name: "main", Image: otherImage}))
	w.wait("web", "ready", isPodReady)
	w.wait("sim", "ready", isPodReady)

	out, _, err := w.exec("web", "to the command", "sh", "-c", "echo $GREETING; cat")
	if err != nil || out != "hello\nto the command" {
		t.Errorf("%q, %v", out, err)
	}
	_, stderr, err := w.exec("web", "", "sh", "-c", "echo oh >&2; exit 5")
	var code utilexec.CodeExitError
	if !errors.As(err, &code) || code.Code != 5 || stderr != "oh\n" {
		t.Errorf("%q, %v", stderr, err)
	}
	if _, _, err := w.exec("web", "", "there-is-no-such-program"); err == nil {
		t.Error("a program that is not there ran")
	}
	if _, _, err := w.exec("sim", "", "sh"); err == nil || !strings.Contains(err.Error(), "simulated") {
		t.Errorf("a simulated container: %v", err)
	}
}

func TestPortForward(t *testing.T) {
	w := newWorld(t)
	c := serving()
	c.ReadinessProbe = healthz()
	w.create(newTestPod("web", c))
	w.wait("web", "ready", isPodReady)
	target := &url.URL{Scheme: "https", Host: w.node.Addr(), Path: "/portForward/default/web"}
	transport, upgrader, err := spdy.RoundTripperFor(w.asAPIServer())
	if err != nil {
		t.Fatal(err)
	}
	overWebSocket, err := portforward.NewSPDYOverWebsocketDialer(target, w.asAPIServer())
	if err != nil {
		t.Fatal(err)
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	for _, name := range []string{"SPDY", "WebSocket"} {
		if name == "WebSocket" {
			dialer = overWebSocket
		}
		stop, ready := make(chan struct{}), make(chan struct{})
		forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:8080"}, stop, ready, io.Discard, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { forward(t, forwarder, stop, ready) })
	}
}

// forward fetches a page through a forwarded port.
func forward(t *testing.T, forwarder *portforward.PortForwarder, stop chan<- struct{}, ready <-chan struct{}) {
	done := make(chan error, 1)
	go func() { done <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/env/HOSTNAME", ports[0].Local))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "web" {
		t.Errorf("got %q", body)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
