package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/remotecommand"
)

// stream opens exec or attach, and returns its end.
func (w *world) stream(ctx context.Context, what, pod string, options remotecommand.StreamOptions, command ...string) <-chan error {
	w.t.Helper()
	query := url.Values{"command": command}
	for name, wanted := range map[string]bool{
		"input": options.Stdin != nil, "output": options.Stdout != nil, "error": options.Stderr != nil, "tty": options.Tty,
	} {
		if wanted {
			query.Set(name, "1")
		}
	}
	target := &url.URL{Scheme: "https", Host: w.node.Addr(), Path: "/" + what + "/default/" + pod + "/main", RawQuery: query.Encode()}
	executor, err := remotecommand.NewSPDYExecutor(w.asAPIServer(), http.MethodPost, target)
	if err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- executor.StreamWithContext(ctx, options) }()
	return ended
}

// output is what a stream has written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until the output has the text, and returns all of it.
func (o *output) await(t *testing.T, text string) string {
	t.Helper()
	for late := time.Now().Add(testWait); !strings.Contains(o.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%q does not come, but %q", text, o)
		}
	}
	return o.String()
}

func isRunning(object *corev1.Pod) bool {
	return object != nil && object.Status.Phase == corev1.PodRunning
}

func hasFailed(object *corev1.Pod) bool {
	return object != nil && object.Status.Phase == corev1.PodFailed
}

// TestAttach talks to a container's own program, with and without a terminal.
func TestAttach(t *testing.T) {
	w := newWorld(t)
	for name, tty := range map[string]bool{"terminal": true, "pipe": false} {
		c := running("ask")
		c.Stdin, c.StdinOnce, c.TTY = true, true, tty
		object := newTestPod(name, c)
		object.Spec.RestartPolicy = corev1.RestartPolicyNever
		w.create(object)
		w.wait(name, "running", isRunning)
		in, keys := io.Pipe()
		out := &output{}
		ended := w.stream(t.Context(), "attach", name, remotecommand.StreamOptions{Stdin: in, Stdout: out, Tty: tty})
		if tty {
			out.await(t, "name? ") // a pipe has shown it before
		}
		if _, err := io.WriteString(keys, "Ada\n"); err != nil {
			t.Fatal(err)
		}
		out.await(t, "hello Ada")
		if err := <-ended; err != nil {
			t.Errorf("%s: attach ended with %v", name, err)
		}
		failed := w.wait(name, "failed", hasFailed)
		if state := failed.Status.ContainerStatuses[0].State.Terminated; state == nil || state.ExitCode != 3 {
			t.Errorf("%s: the container ended with %+v", name, state)
		}
	}
}

func TestAttachRefused(t *testing.T) {
	w := newWorld(t)
	w.create(newTestPod("sim", corev1.Container{Name: "main", Image: otherImage}))
	w.wait("sim", "ready", isPodReady)
	for pod, reason := range map[string]string{"sim": "simulated: image " + otherImage, "none": "not found"} {
		err := <-w.stream(t.Context(), "attach", pod, remotecommand.StreamOptions{Stdout: io.Discard})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %s", pod, err, reason)
		}
	}
}

// TestNothingStays ends a pod: what a command in it has started ends with it,
// even in a session of its own.
func TestNothingStays(t *testing.T) {
	w := newWorld(t)
	object := w.create(newTestPod("web", serving()))
	w.wait("web", "ready", isPodReady)
	out := &output{}
	ended := w.stream(t.Context(), "exec", "web", remotecommand.StreamOptions{Stdout: out},
		"sh", "-c", "setsid sh -c 'echo $$; exec sleep 1000' & sleep 1001")
	pid, err := strconv.Atoi(strings.TrimSpace(out.await(t, "\n")))
	if err != nil || hasEnded(pid) {
		t.Fatalf("process %d, %v", pid, err)
	}
	w.deleteGracefully(object, 1)
	w.wait("web", "gone", isGone)
	if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(raw), ") Z ") {
		t.Errorf("process %d has outlived its pod: %s", pid, raw)
	}
	if err := <-ended; err == nil {
		t.Error("a command that was killed counts as successful")
	}
}

func TestEphemeral(t *testing.T) {
	w := newWorld(t)
	object := w.create(newTestPod("web", serving()))
	w.wait("web", "ready", isPodReady)
	object = object.DeepCopy()
	object.Spec.EphemeralContainers = []corev1.EphemeralContainer{{
		TargetContainerName:      "main",
		EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger", Image: otherImage},
	}}
	if _, err := w.client.CoreV1().Pods("default").Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	object = w.wait("web", "told", func(object *corev1.Pod) bool { return len(object.Status.EphemeralContainerStatuses) > 0 })
	const advice = "kubectl exec -it -n default web -c main -- sh"
	if state := object.Status.EphemeralContainerStatuses[0].State.Terminated; state == nil || state.ExitCode == 0 || !strings.Contains(state.Message, advice) {
		t.Errorf("%+v", object.Status.EphemeralContainerStatuses[0])
	}
	response, err := w.kubeletClient("kubelet-client").Get("https://" + w.node.Addr() + "/containerLogs/default/web/debugger")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); !strings.Contains(string(body), advice) {
		t.Errorf("its log: %q", body)
	}
}

// TestMetricsClients lets only the API server read the metrics, as a proxy.
func TestMetricsClients(t *testing.T) {
	w := newWorld(t)
	address, ok := w.node.Locate("10.244.0.1", 443)
	if !ok {
		t.Fatal("the metrics API has no address")
	}
	for name, welcome := range map[string]bool{"front-proxy-client": true, "kubelet-client": false, "admin": false} {
		response, err := w.kubeletClient(name).Get("https://" + address + "/apis/metrics.k8s.io/v1beta1")
		if err == nil {
			response.Body.Close()
		}
		if (err == nil) != welcome {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := http.Get("https://" + address + "/apis/metrics.k8s.io/v1beta1"); err == nil {
		t.Error("it answers without a certificate")
	}
}
