package node

import (
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestSilent stops a container's process, finds it, and restarts it. A neighbour
// that answers, and one without a probe, stay as they are.
func TestSilent(t *testing.T) {
	w := newWorld(t)
	probed := serving()
	probed.ReadinessProbe = healthz()
	for _, name := range []string{"hangs", "answers"} {
		w.create(newTestPod(name, probed))
	}
	w.create(newTestPod("unprobed", serving()))
	pids := map[string]int{}
	for _, name := range []string{"hangs", "answers", "unprobed"} {
		pids[name] = pidOf(t, w.wait(name, "ready", isPodReady))
	}
	const limit = time.Second
	if silent := w.node.Silent(t.Context(), limit); len(silent) != 0 {
		t.Errorf("all answer, and silent are %v", silent)
	}
	if err := syscall.Kill(pids["hangs"], syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	silent := w.node.Silent(t.Context(), limit)
	if since, is := silent[Name{"default", "hangs", "main"}]; !is || since.IsZero() || len(silent) != 1 {
		t.Errorf("silent are %v", silent)
	}
	if names := w.node.RestartSilent(t.Context(), limit); len(names) != 1 || names[0] != "default/hangs" {
		t.Errorf("restarted are %v", names)
	}
	w.wait("hangs", "restarted", func(object *corev1.Pod) bool {
		return isPodReady(object) && object.Status.ContainerStatuses[0].RestartCount == 1
	})
	for _, name := range []string{"answers", "unprobed"} {
		if now := pidOf(t, w.wait(name, "ready", isPodReady)); now != pids[name] {
			t.Errorf("%s was restarted, too", name)
		}
	}
}
