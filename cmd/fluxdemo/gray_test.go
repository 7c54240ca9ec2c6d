package main

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// tellTime is how long status may take to say what does not answer.
	tellTime = 5 * time.Second
	// wakeTime is how long a cluster may take to be well after it was stopped.
	wakeTime = 15 * time.Second
)

// TestStopped stops processes of the cluster, one after the other: they are
// there, and do not answer. One of Flux's stands for all; TestAsleep stops the
// supervisor.
func TestStopped(t *testing.T) {
	d := sharedDemo(t)
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "source-controller", "git"} {
		d.sub(t, name, func(t *testing.T) {
			pid := d.stop(t, name)
			d.tells(t, name+" does not answer")
			start := time.Now()
			d.must(t, "up")
			await(t, healTime, "all is well", d.healthy)
			t.Logf("up and well after %.1f s", time.Since(start).Seconds())
			if now := d.pid(t, name); now == pid {
				t.Errorf("%s is still process %d", name, now)
			}
		})
	}
}

// TestAsleep stops the supervisor, and with it the node, until the cluster takes
// the node for gone, as when a laptop sleeps. Then it wakes up.
func TestAsleep(t *testing.T) {
	d := sharedDemo(t)
	pid := d.stop(t, "supervisor")
	d.tells(t, fmt.Sprintf("`kill -CONT %d`", pid))
	await(t, 2*time.Minute, "the cluster misses the node", func() error {
		if ready := d.kubectl(t, "get", "node", "fluxdemo", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`); ready == "True" {
			return fmt.Errorf("the node is ready")
		}
		if ready := d.kubectl(t, "-n", "app", "get", "pods", "-o", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`); !strings.Contains(ready, "False") {
			return fmt.Errorf("the app's pods are ready: %s", ready)
		}
		return nil
	})
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	await(t, wakeTime, "all is well again by itself", d.healthy)
	t.Logf("well after %.1f s", time.Since(start).Seconds())
	if now := d.pid(t, "supervisor"); now != pid {
		t.Errorf("the supervisor is process %d, it was %d", now, pid)
	}
}

// stop stops a process of the cluster until the test ends, or it is ended.
func (d *testDemo) stop(t *testing.T, name string) (pid int) {
	t.Helper()
	pid = d.pid(t, name)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // it may have ended
	return pid
}

// tells holds status to say something in time, and to end with 1.
func (d *testDemo) tells(t *testing.T, want string) {
	t.Helper()
	start := time.Now()
	r := d.fluxdemo("status")
	if took := time.Since(start); took > tellTime {
		t.Errorf("status took %s", took)
	}
	if r.code != exitFailure || !strings.Contains(r.stdout+r.stderr, want) {
		t.Errorf("want %q: %v", want, r)
	}
}
