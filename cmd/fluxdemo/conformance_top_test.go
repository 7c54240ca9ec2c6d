package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKubectlTop compares what the cluster says that pods use with what the
// machine says.
func TestKubectlTop(t *testing.T) {
	d := sharedDemo(t)
	row := regexp.MustCompile(`^(\S+)\s+(\d+)m\s+(\S+\s+)?(\d+)Mi`)
	await(t, healTime, "pods are measured", func() error {
		out := d.kube("top", "pods", "-A", "--no-headers")
		if len(strings.Split(strings.TrimSpace(out.stdout), "\n")) < 7 {
			return errors.New(out.String())
		}
		return nil
	})
	d.sub(t, "top nodes", func(t *testing.T) {
		out := d.kubectl(t, "top", "nodes", "--no-headers")
		found := row.FindStringSubmatch(out)
		if found == nil || found[1] != "fluxdemo" {
			t.Fatalf("%q", out)
		}
		if memory, _ := strconv.Atoi(found[4]); memory < 300 {
			t.Errorf("a machine with a cluster uses %d MiB", memory)
		}
	})
	d.sub(t, "top pods is what the processes use", func(t *testing.T) {
		for _, name := range []string{"source-controller", "kustomize-controller"} {
			pid := d.pid(t, name)
			await(t, healTime, name+" has the memory that /proc says", func() error { // it changes meanwhile
				out := d.kubectl(t, "-n", "flux-system", "top", "pods", "--containers", "--no-headers", "-l", "app="+name)
				fields := strings.Fields(out) // pod, container, CPU, memory
				if len(fields) != 4 || fields[1] != "manager" {
					return fmt.Errorf("%q", out)
				}
				said, err := strconv.ParseFloat(strings.TrimSuffix(fields[3], "Mi"), 64)
				if err != nil {
					return err
				}
				raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
				if err != nil {
					return err
				}
				pages, err := strconv.ParseFloat(strings.Fields(string(raw))[1], 64)
				if err != nil {
					return err
				}
				if is := pages * float64(os.Getpagesize()) / (1 << 20); said < is*0.9-1 || said > is*1.1+1 {
					return fmt.Errorf("%.0f MiB, it has %.0f", said, is)
				}
				return nil
			})
		}
	})
	d.sub(t, "only who may", func(t *testing.T) {
		if r := d.kube("top", "pods", "-n", "app", "--as=system:serviceaccount:app:default"); r.code == 0 || !strings.Contains(r.stderr, "forbidden") {
			t.Error(r)
		}
	})
	d.sub(t, "discovery is whole", func(t *testing.T) {
		if r := d.kube("api-resources"); r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "metrics.k8s.io/v1beta1") {
			t.Error(r)
		}
	})
	d.sub(t, "an autoscaler follows the load", func(t *testing.T) { autoscale(t, d) })
}

func autoscale(t *testing.T, d *testDemo) {
	const namespace = "autoscaled"
	d.kubectl(t, "create", "namespace", namespace)
	t.Cleanup(func() { d.kubectl(t, "delete", "namespace", namespace, "--timeout=60s") })
	manifest := strings.NewReplacer("conformance", namespace,
		"args:", "resources: {requests: {cpu: 200m, memory: 16Mi}}\n          args:").Replace(workload)
	apply(t, d, manifest+`---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: `+namespace+`}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 2
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
    - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 4Gi}}}
`)
	d.kubectl(t, "-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
	const patience = 3 * time.Minute // it looks every 15 s
	await(t, patience, "the autoscaler reads both metrics", func() error {
		out := d.kubectl(t, "-n", namespace, "get", "hpa", "web", "-o", "jsonpath={.status.currentMetrics[*].resource.current}")
		if strings.Count(out, "averageValue") != 2 {
			return errors.New(d.kubectl(t, "-n", namespace, "describe", "hpa", "web"))
		}
		return nil
	})
	// A loop beside the container counts as the container's.
	follow(t, d, "-n", namespace, "exec", "deployment/web", "--", "sh", "-c", "while :; do :; done")
	await(t, patience, "the autoscaler adds a pod", func() error {
		out := d.kubectl(t, "-n", namespace, "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}")
		if out != "2" {
			return errors.New(d.kubectl(t, "-n", namespace, "describe", "hpa", "web"))
		}
		return nil
	})
}
