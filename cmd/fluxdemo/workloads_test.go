package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/hack/churn"
)

// TestWorkloads runs on an embedded cluster what people try on any cluster:
// wrong tags, Jobs, claims, load balancers, an Ingress. Then it tries to take
// the API server's port away.
func TestWorkloads(t *testing.T) {
	d := ownDemo(t)
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	await(t, healTime, "all is well", d.healthy)
	d.kubectl(t, "create", "namespace", "work")
	d.sub(t, "unknown tag", func(t *testing.T) { unknownTag(t, d) })
	d.sub(t, "job of an unknown image", func(t *testing.T) { simulatedJob(t, d) })
	d.sub(t, "load balancer", func(t *testing.T) { loadBalancer(t, d) })
	d.sub(t, "ingress", func(t *testing.T) { ingressIsNamed(t, d) })
	d.sub(t, "claim", func(t *testing.T) { claims(t, d) })
	d.sub(t, "the API server's port stays its own", func(t *testing.T) { keepsPort(t, d) })
	d.sub(t, "the API server's port was lost", func(t *testing.T) { losesPort(t, d) })
}

// inWork runs kubectl in the namespace of this test.
func inWork(t *testing.T, d *testDemo, args ...string) string {
	t.Helper()
	return d.kubectl(t, append([]string{"-n", "work"}, args...)...)
}

// says awaits that kubectl's answer contains a text.
func says(t *testing.T, d *testDemo, text string, args ...string) {
	t.Helper()
	await(t, healTime, fmt.Sprintf("kubectl %s says %q", strings.Join(args, " "), text), func() error {
		if r := d.kube(append([]string{"-n", "work"}, args...)...); r.code != 0 || !strings.Contains(r.stdout, text) {
			return errors.New(r.String())
		}
		return nil
	})
}

const ownImage = "ghcr.io/fluxdemo/fluxdemo"

func unknownTag(t *testing.T, d *testDemo) {
	apply(t, d, strings.ReplaceAll(workload, "namespace: conformance", "namespace: work"))
	inWork(t, d, "rollout", "status", "deployment/web", "--timeout=60s")
	before := inWork(t, d, "get", "pods", "-l", "app=web", "-o", "name")
	inWork(t, d, "set", "image", "deployment/web", "web="+ownImage+":v2")
	says(t, d, "ErrImagePull", "get", "pods")
	says(t, d, "ImagePullBackOff", "get", "pods")
	says(t, d, "this cluster pulls no images, and has only "+ownImage+":latest", "get", "pods", "-o", "jsonpath={..waiting.message}")
	if r := d.kube("-n", "work", "logs", "deployment/web", "--all-pods"); r.code == 0 || !strings.Contains(r.stderr, "trying and failing to pull image") {
		t.Errorf("the log of a container without an image: %v", r)
	}
	for _, reason := range []string{"Pulling", "Failed to pull image", "Back-off pulling image", "Error: ErrImagePull"} {
		says(t, d, reason, "events")
	}
	await(t, healTime, "fluxdemo's status says so", func() error {
		if r := d.fluxdemo("status", "-o=json"); r.code != exitFailure || !strings.Contains(r.stdout, "ImagePull") {
			return errors.New(r.String())
		}
		return nil
	})
	if r := d.kube("-n", "work", "rollout", "status", "deployment/web", "--timeout=2s"); r.code == 0 {
		t.Errorf("the rollout is done: %v", r)
	}
	if out := inWork(t, d, "get", before, "-o", "jsonpath={.status.containerStatuses[0].ready}"); out != "true" {
		t.Errorf("the old pod is ready: %q", out)
	}
	inWork(t, d, "set", "image", "deployment/web", "web="+ownImage+"@sha256:"+strings.Repeat("0", 64))
	says(t, d, "ErrImagePull", "get", "pods")
	inWork(t, d, "set", "image", "deployment/web", "web="+ownImage+":latest")
	inWork(t, d, "rollout", "status", "deployment/web", "--timeout=60s")
	inWork(t, d, "delete", "service/web", "deployment/web", "--timeout=60s")
}

func simulatedJob(t *testing.T, d *testDemo) {
	for _, args := range [][]string{
		{"create", "job", "migrate", "--image=registry.invalid/migrate:1", "--", "true"},
		{"create", "cronjob", "nightly", "--image=registry.invalid/nightly:1", "--schedule=0 3 * * *", "--", "true"},
		{"create", "job", "tonight", "--from=cronjob/nightly"},
	} {
		inWork(t, d, args...)
	}
	for _, job := range []string{"migrate", "tonight"} {
		start := time.Now()
		inWork(t, d, "wait", "job/"+job, "--for=condition=Complete", "--timeout=30s")
		t.Logf("%s: complete after %s", job, time.Since(start))
		says(t, d, "is not in the bundle, nothing runs", "logs", "job/"+job)
		says(t, d, "is not in the bundle, nothing runs", "describe", "pods", "-l", "job-name="+job)
	}
	says(t, d, "Simulated", "events")
}

func loadBalancer(t *testing.T, d *testDemo) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	apply(t, d, strings.NewReplacer("namespace: conformance", "namespace: work", "type: NodePort", "type: LoadBalancer",
		"ports: [{name: http, port: 80, targetPort: http}]", fmt.Sprintf("ports: [{name: http, port: %d, targetPort: http}, {name: taken, port: %d, targetPort: http}]",
			free.Addr().(*net.TCPAddr).Port, taken.Addr().(*net.TCPAddr).Port)).Replace(workload))
	says(t, d, "127.0.0.1", "get", "service/web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
	await(t, healTime, "the port answers", func() error { _, err := fetch("http://" + free.Addr().String()); return err })
	nodePort := inWork(t, d, "get", "service/web", "-o", "jsonpath={.spec.ports[1].nodePort}")
	says(t, d, "another program has it; use 127.0.0.1:"+nodePort, "describe", "service/web")
	if _, err := fetch("http://127.0.0.1:" + nodePort); err != nil {
		t.Error(err)
	}
	taken.Close()
	await(t, healTime, "the port answers once it is free", func() error { _, err := fetch("http://" + taken.Addr().String()); return err })
	inWork(t, d, "patch", "service/web", "-p", `{"spec":{"type":"ClusterIP"}}`)
	await(t, healTime, "the port is closed", func() error {
		if _, err := fetch("http://" + free.Addr().String()); err == nil {
			return errors.New("it answers")
		}
		return nil
	})
	says(t, d, "{}", "get", "service/web", "-o", "jsonpath={.status.loadBalancer}")
	inWork(t, d, "delete", "service/web", "deployment/web", "--timeout=60s")
}

func ingressIsNamed(t *testing.T, d *testDemo) {
	inWork(t, d, "create", "ingress", "web", "--rule=example.org/=web:80")
	says(t, d, "has no ingress controller", "describe", "ingress/web")
}

// claims keeps data over the end of its pod and of the cluster, and looks for
// it where nothing may be.
func claims(t *testing.T, d *testDemo) {
	if out := inWork(t, d, "get", "storageclass"); !strings.Contains(out, "standard (default)") {
		t.Errorf("the default class: %s", out)
	}
	apply(t, d, `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: data, namespace: work}
spec:
  serviceName: data
  selector: {matchLabels: {app: data}}
  template:
    metadata: {labels: {app: data}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: inbox
          image: ghcr.io/fluxdemo/fluxdemo:latest
          args: [serve, inbox, --addr=:8080, --file=/data/notifications]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`)
	inWork(t, d, "rollout", "status", "statefulset/data", "--timeout=60s")
	inWork(t, d, "wait", "pvc/data-data-0", "--for=jsonpath={.status.phase}=Bound", "--timeout=30s")
	volume := inWork(t, d, "get", "pvc/data-data-0", "-o", "jsonpath={.spec.volumeName}")
	folder := inWork(t, d, "get", "pv/"+volume, "-o", `jsonpath={.metadata.annotations.fluxdemo\.github\.io/folder}`)
	if !strings.HasPrefix(folder, d.cluster()+string(filepath.Separator)) {
		t.Fatalf("the folder is %s", folder)
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info, err)
	}
	file := filepath.Join(folder, "mine")
	if err := os.WriteFile(file, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	sees := func(t *testing.T) {
		t.Helper()
		await(t, healTime, "the pod sees its data", func() error {
			if r := d.kube("-n", "work", "exec", "data-0", "--", "cat", "/data/mine"); r.stdout != "data" {
				return errors.New(r.String())
			}
			return nil
		})
	}
	sees(t)
	inWork(t, d, "delete", "pod/data-0", "--timeout=60s")
	sees(t)
	d.must(t, "down", "--keep-data")
	d.must(t, "up")
	sees(t)

	// While a pod uses it the claim stays, as on any cluster.
	inWork(t, d, "delete", "pvc/data-data-0", "--wait=false")
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	inWork(t, d, "delete", "statefulset/data", "--timeout=60s")
	inWork(t, d, "wait", "pv/"+volume, "--for=delete", "--timeout=60s")
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}

	apply(t, d, `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: block, namespace: work}
spec: {accessModes: [ReadWriteOnce], volumeMode: Block, resources: {requests: {storage: 1Gi}}}
`)
	says(t, d, "no block devices", "describe", "pvc/block")
}

// TestUpOnBusyMachine brings a cluster up, restarts it, and removes it beside a
// program that opens and closes connections as fast as it can. How it goes a
// hundred times is what hack/bench shows (-only busy -runs 100).
func TestUpOnBusyMachine(t *testing.T) {
	all.queue.enter(t, true) // it would be a bad neighbour for other tests
	d := ownDemo(t)
	stop := churn.Start()
	defer func() { t.Logf("%d connections and %d listeners", stop().Connections, stop().Listeners) }()
	for range 2 {
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
		before := server(t, d)
		d.kill(t, "kube-apiserver")
		await(t, healTime, "all is well", d.healthy)
		d.must(t, "down", "--keep-data")
		d.must(t, "up")
		if after := server(t, d); after != before {
			t.Errorf("the API server was on %s and is on %s", before, after)
		}
		d.must(t, "down")
	}
}

// server is where the API server is.
func server(t *testing.T, d *testDemo) string {
	t.Helper()
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(s.Cluster.Server, "https://")
}

// keepsPort ends the API server again and again, while a program listens on its
// port as soon as that is free.
func keepsPort(t *testing.T, d *testDemo) {
	before := server(t, d)
	var stop atomic.Bool
	result := make(chan error, 1)
	go func() {
		tries := 0
		for ; !stop.Load(); tries++ {
			if listener, err := net.Listen("tcp", before); err == nil {
				listener.Close()
				result <- fmt.Errorf("try %d: another program got %s", tries, before)
				return
			}
		}
		t.Logf("%d tries", tries)
		result <- nil
	}()
	for range 2 {
		d.kill(t, "kube-apiserver")
		await(t, healTime, "all is well", d.healthy)
	}
	stop.Store(true)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if after := server(t, d); after != before {
		t.Errorf("the API server was on %s and is on %s", before, after)
	}
}

// losesPort gives the API server's port to another program while the cluster is
// stopped.
func losesPort(t *testing.T, d *testDemo) {
	before, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	addr := server(t, d)
	d.must(t, "down", "--keep-data")
	thief, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	r := d.fluxdemo("up")
	if r.code != 0 || !strings.Contains(r.stdout+r.stderr, "another program has "+addr[strings.LastIndex(addr, ":")+1:]) {
		t.Errorf("it does not say which port it has now: %v", r)
	}
	await(t, healTime, "all is well", d.healthy)
	after, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	if now := server(t, d); now == addr || before.URLs != after.URLs {
		t.Errorf("the API server was on %s and is on %s; URLs before %v and after %v", addr, now, before.URLs, after.URLs)
	}
	if out := d.kubectl(t, "config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"); out != after.Cluster.Server {
		t.Errorf("the kubeconfig says %s, want %s", out, after.Cluster.Server)
	}
}
