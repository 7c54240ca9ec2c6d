package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestKubectl does what people do with the cluster beside Flux, as far as it
// is special on an embedded one; TestConformance has the rest.
func TestKubectl(t *testing.T) {
	d := sharedDemo(t)
	d.sub(t, "get pods -o wide", func(t *testing.T) {
		out := d.kubectl(t, "get", "pods", "-A", "-o", "wide", "--no-headers")
		lines := strings.Split(out, "\n")
		if len(lines) != 7 { // four of Flux, three of the demo
			t.Errorf("%d pods, want 7", len(lines))
		}
		pod := regexp.MustCompile(`^\S+ +\S+ +1/1 +Running +\d+( \(.* ago\))? +\S+ +10\.244\.\d+\.\d+ +fluxdemo `)
		for _, line := range lines {
			if !pod.MatchString(line) {
				t.Errorf("not like a pod that runs: %s", line)
			}
		}
	})
	d.sub(t, "describe node", func(t *testing.T) {
		out := d.kubectl(t, "describe", "node", "fluxdemo")
		for _, want := range []string{"KubeletReady", "InternalIP:  127.0.0.1", "cpu", "memory"} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing:\n%s", want, out)
			}
		}
	})
	d.sub(t, "delete pod ends its process", func(t *testing.T) {
		pid := d.pid(t, "inbox")
		d.kubectl(t, "-n", "fluxdemo", "delete", "pod", "-l", "app.kubernetes.io/name=inbox", "--timeout=60s")
		if _, err := os.Stat(filepath.Join("/proc", fmt.Sprint(pid), "fd")); err == nil {
			t.Errorf("its process %d is still there", pid)
		}
		await(t, healTime, "all is well", d.healthy)
	})
	simulated(t, d)
}

// simulated runs images that nobody has.
func simulated(t *testing.T, d *testDemo) {
	const namespace = "simulated"
	d.kubectl(t, "create", "namespace", namespace)
	t.Cleanup(func() { d.kubectl(t, "delete", "namespace", namespace, "--timeout=60s") })
	d.sub(t, "an unknown image is simulated and says so", func(t *testing.T) {
		d.kubectl(t, "-n", namespace, "create", "deployment", "web", "--image=registry.invalid/web:1", "--replicas=2")
		d.kubectl(t, "-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
		var pods struct {
			Items []struct {
				Status struct {
					Phase, Reason string
					Conditions    []struct{ Type, Status, Reason, Message string }
				}
			}
		}
		if err := json.Unmarshal([]byte(d.kubectl(t, "-n", namespace, "get", "pods", "-o", "json")), &pods); err != nil || len(pods.Items) != 2 {
			t.Fatalf("%d pods, %v", len(pods.Items), err)
		}
		for _, pod := range pods.Items {
			said := false
			for _, condition := range pod.Status.Conditions {
				said = said || condition.Reason == "Simulated" && condition.Status == "True" && strings.Contains(condition.Message, "nothing runs")
			}
			if pod.Status.Phase != "Running" || !said {
				t.Errorf("%+v", pod.Status)
			}
		}
		if out := d.kubectl(t, "-n", namespace, "logs", "deployment/web"); !strings.Contains(out, "simulated") {
			t.Errorf("its log: %s", out)
		}
		s, err := d.status()
		if err != nil || !s.Healthy() {
			t.Errorf("healthy: %v, %v", s.Healthy(), err)
		}
		if part, err := component(s, "web"); err != nil || part.State != "Simulated" || part.PID != 0 {
			t.Errorf("%+v, %v", part, err)
		}
	})
	d.sub(t, "scale", func(t *testing.T) {
		for _, n := range []int{4, 0, 1} {
			d.kubectl(t, "-n", namespace, "scale", "deployment/web", fmt.Sprintf("--replicas=%d", n))
			await(t, healTime, fmt.Sprintf("%d pods", n), func() error {
				if out := d.kubectl(t, "-n", namespace, "get", "pods", "-o", "name"); len(strings.Fields(out)) != n {
					return fmt.Errorf("there are: %s", out)
				}
				return nil
			})
		}
	})
}

// follow starts kubectl and returns the lines that it writes; it is ended
// with the test.
func follow(t *testing.T, d *testDemo, args ...string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	cmd := d.command(ctx, []string{"KUBECONFIG=" + d.kubeconfig()}, filepath.Join(d.work(), "kubectl"), args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			select {
			case lines <- scan.Text():
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range lines { // to its end
		}
		_ = cmd.Wait() // killed by cancel
	})
	return lines
}
