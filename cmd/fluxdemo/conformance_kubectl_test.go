package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func conformKubectl(t *testing.T, d *testDemo) {
	d.sub(t, "logs", func(t *testing.T) {
		out := d.kubectl(t, "-n", "flux-system", "logs", "deployment/source-controller")
		if !strings.Contains(out, "stored artifact") {
			t.Errorf("the log of source-controller:\n%s", out)
		}
		if tail := d.kubectl(t, "-n", "flux-system", "logs", "deployment/source-controller", "--tail=2", "--timestamps"); strings.Count(tail, "\n") != 1 ||
			!regexp.MustCompile(`^20\d\d-\d\d-\d\dT\S+Z \{`).MatchString(tail) {
			t.Errorf("the last two lines, with times:\n%s", tail)
		}
		if r := d.kube("-n", "flux-system", "logs", "deployment/source-controller", "-c", "nope"); r.code == 0 {
			t.Errorf("a container that is not there has a log: %v", r)
		}
	})
	d.sub(t, "logs -f", func(t *testing.T) {
		out := follow(t, d, "-n", "fluxdemo", "logs", "-f", "deployment/git")
		dir := clone(t, d, "follow")
		d.git(t, dir, "push", "-q", "origin", "main:followed")
		late := time.After(healTime)
		for told := false; !told; {
			select {
			case line, ok := <-out:
				if !ok {
					t.Fatal("the log ended")
				}
				told = strings.Contains(line, "refs/heads/followed")
			case <-late:
				t.Fatal("the push does not come in the log")
			}
		}
		d.git(t, dir, "push", "-q", "origin", ":followed")
	})
	d.sub(t, "delete pod", func(t *testing.T) {
		old := d.kubectl(t, "-n", "fluxdemo", "get", "pods", "-l", "app.kubernetes.io/name=inbox", "-o", "name")
		d.kubectl(t, "-n", "fluxdemo", "delete", old, "--timeout=60s")
		d.kubectl(t, "-n", "fluxdemo", "rollout", "status", "deployment/inbox", "--timeout=60s")
		if now := d.kubectl(t, "-n", "fluxdemo", "get", "pods", "-l", "app.kubernetes.io/name=inbox", "-o", "name"); now == old || strings.Contains(now, "\n") {
			t.Errorf("pods: %q, before: %q", now, old)
		}
		await(t, healTime, "all is well", d.healthy)
	})
	d.sub(t, "rollout restart", func(t *testing.T) {
		old := d.kubectl(t, "-n", "flux-system", "get", "pods", "-l", "app=source-controller", "-o", "name")
		d.kubectl(t, "-n", "flux-system", "rollout", "restart", "deployment/source-controller")
		d.kubectl(t, "-n", "flux-system", "rollout", "status", "deployment/source-controller", "--timeout=60s")
		await(t, healTime, "all is well", d.healthy)
		if now := d.kubectl(t, "-n", "flux-system", "get", "pods", "-l", "app=source-controller", "-o", "name"); strings.Contains(now, old) {
			t.Errorf("it is still %s", old)
		}
	})
	d.sub(t, "port-forward", func(t *testing.T) {
		out := follow(t, d, "-n", "fluxdemo", "port-forward", "service/inbox", ":80", "--address=127.0.0.1")
		var line string
		select {
		case line = <-out:
		case <-time.After(healTime):
		}
		port := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
		if port == "" {
			t.Fatalf("it says %q", line)
		}
		if body, err := fetch("http://" + port + "/healthz"); err != nil {
			t.Errorf("%v: %s", err, body)
		}
	})
}

// workload is a Deployment and its Service, of an image that there is.
const workload = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: conformance}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: ghcr.io/fluxdemo/fluxdemo:latest
          imagePullPolicy: IfNotPresent
          args: [serve, app, --addr=:8080]
          env: [{name: MESSAGE, value: Hello from the suite}, {name: COLOR, value: teal}, {name: VERSION, value: "1"}]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: conformance}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
`

// apply writes a manifest and applies it.
func apply(t *testing.T, d *testDemo, manifest string) {
	t.Helper()
	file := filepath.Join(d.work(), "manifest.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o644); err != nil {
		t.Fatal(err)
	}
	d.kubectl(t, "apply", "-f", file)
}

func conformWorkload(t *testing.T, d *testDemo) {
	const namespace = "conformance"
	d.kubectl(t, "create", "namespace", namespace)
	t.Cleanup(func() { d.kubectl(t, "delete", "namespace", namespace, "--timeout=60s") })
	apply(t, d, workload)
	d.kubectl(t, "-n", namespace, "rollout", "status", "deployment/web", "--timeout=60s")
	var nodePort int32
	if _, err := fmt.Sscan(d.kubectl(t, "-n", namespace, "get", "service", "web", "-o", "jsonpath={.spec.ports[0].nodePort}"), &nodePort); err != nil {
		t.Fatal(err)
	}
	url, err := d.instance(t).URL(t.Context(), nodePort)
	if err != nil {
		t.Fatal(err)
	}
	await(t, healTime, "the NodePort answers", func() error {
		body, err := fetch(url)
		if err == nil && !strings.Contains(body, "Hello from the suite") {
			err = errors.New(body)
		}
		return err
	})
	d.sub(t, "scale", func(t *testing.T) {
		for _, n := range []int{3, 0, 1} {
			d.kubectl(t, "-n", namespace, "scale", "deployment/web", fmt.Sprintf("--replicas=%d", n))
			await(t, healTime, fmt.Sprintf("%d pods", n), func() error {
				out := d.kubectl(t, "-n", namespace, "get", "pods", "-o", "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}")
				if strings.Count(out, "True") != n || strings.Contains(out, "False") {
					return fmt.Errorf("ready: %s", out)
				}
				return nil
			})
			_, err := fetch(url)
			if n == 0 && err == nil {
				t.Error("a Service without pods answers")
			}
		}
		await(t, healTime, "the page is back", func() error { _, err := fetch(url); return err })
	})
}
