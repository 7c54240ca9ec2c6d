package node

import (
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
)

// TestDaemonEndsWithItsContainer starts commands beside a container that leave
// a process behind without its environment, session, and parents.
func TestDaemonEndsWithItsContainer(t *testing.T) {
	w := newWorld(t)
	daemon := func(pod string) int {
		t.Helper()
		out, _, err := w.exec(pod, "", "sh", "-c", "env -i PATH=/usr/bin:/bin setsid setsid -f sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1'")
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(out))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	awaitEnd := func(what string, pid int) {
		t.Helper()
		for late := time.Now().Add(testWait); !hasEnded(pid); backoff.Pause(t.Context(), 10*time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("%s: process %d still runs", what, pid)
			}
		}
	}
	objects := map[string]*corev1.Pod{}
	for _, name := range []string{"a", "b"} {
		w.create(newTestPod(name, serving()))
		objects[name] = w.wait(name, "ready", isPodReady)
	}
	first, second := daemon("a"), daemon("b")
	if hasEnded(first) || hasEnded(second) {
		t.Fatal("a daemon has ended while its container runs")
	}
	w.deleteGracefully(objects["a"], 1)
	w.wait("a", "gone", isGone)
	awaitEnd("the pod is deleted", first)
	if hasEnded(second) {
		t.Error("another pod's process was killed")
	}
	w.stop()
	awaitEnd("the node has stopped", second)
}
