package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/hack/mess"
)

// resetTime is far above what a reset takes on a machine with other work. What waits for something that is gone takes
// longer.
const resetTime = 40 * time.Second

// timedReset resets, and prints how long that took. The machine has other work, so only a hang fails.
func timedReset(t *testing.T, d *testDemo, after string) result {
	t.Helper()
	start := time.Now()
	r := d.fluxdemo("reset")
	took := time.Since(start)
	t.Logf("reset after %s: %.1f s", after, took.Seconds())
	if r.code != 0 || took > resetTime {
		t.Fatalf("after %s, %s: %v", after, took, r)
	}
	return r
}

// TestResetAfter resets after what leaves Kustomizations that Flux prunes, and namespaces that are being deleted.
func TestResetAfter(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	before := state(t, d)
	file := filepath.Join(d.work(), "after.mmd")
	if err := os.WriteFile(file, []byte("graph TD\nA-->B\nA-->C\nB-->D\nC-->D\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	darken := func(dir string) {
		t.Helper()
		edit(t, dir+"/apps/demo/app/app.env", "COLOR=", "COLOR=dark")
		d.git(t, dir, "commit", "-q", "-a", "-m", "Dark")
		d.git(t, dir, "push", "-q")
	}
	remove := func(dir string) {
		t.Helper()
		d.git(t, dir, "rm", "-q", "clusters/demo/apps.yaml")
		d.git(t, dir, "commit", "-q", "-m", "No apps")
		d.git(t, dir, "push", "-q")
	}
	for _, tt := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"diagram run", func(t *testing.T) { d.must(t, "diagram", "run", file) }},
		{"diagram clean", func(t *testing.T) { d.must(t, "diagram", "run", file); d.must(t, "diagram", "clean") }},
		{"how-flux-does-it", func(t *testing.T) { d.must(t, "walk", "how-flux-does-it", "--auto") }},
		{"a half of how-flux-does-it", func(t *testing.T) { press(t, d, `g 6\nq\n`, "how-flux-does-it") }},
		{"the app is not in Git", func(t *testing.T) {
			remove(clone(t, d, "gone"))
			d.kubectl(t, "wait", "namespace/app", "--for=jsonpath={.status.phase}=Terminating", "--timeout=60s")
		}},
		{"its namespace is being deleted", func(t *testing.T) { d.kubectl(t, "delete", "namespace", "app", "--wait=false") }},
		{"commits while its namespace is being deleted", func(t *testing.T) {
			dir := clone(t, d, "gone")
			d.kubectl(t, "delete", "namespace", "app", "--wait=false")
			darken(dir)
			remove(dir) // Flux waits for the namespace before it removes the app
		}},
		{"suspended while its namespace is being deleted", func(t *testing.T) {
			dir := clone(t, d, "gone")
			d.kubectl(t, "-n", "app", "scale", "deployment", "app", "--replicas=0")
			d.kubectl(t, "delete", "namespace", "app", "--wait=false")
			d.kubectl(t, "-n", "flux-system", "patch", "kustomization", "apps", "--type=merge", `-p={"spec":{"suspend":true}}`)
			darken(dir)
		}},
		{"its namespace is gone, and Flux waits for it", func(t *testing.T) {
			d.kubectl(t, "delete", "namespace", "app", "--wait=false")
			darken(clone(t, d, "gone"))
			d.kubectl(t, "wait", "namespace/app", "--for=delete", "--timeout=60s")
		}},
		{"down --keep-data", func(t *testing.T) {
			d.must(t, "diagram", "run", file)
			d.must(t, "down", "--keep-data")
			d.must(t, "up")
		}},
	} {
		d.sub(t, tt.name, func(t *testing.T) {
			for range 2 {
				tt.do(t)
				timedReset(t, d, tt.name)
				same(t, before, state(t, d))
				await(t, healTime, "all is well", d.healthy)
			}
		})
	}
}

// TestResetLeaves resets among what learners have created: what is a walk's goes, and what is theirs is named.
func TestResetLeaves(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	before := state(t, d)
	apply(t, d, `apiVersion: v1
kind: Namespace
metadata: {name: mine}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: notes, namespace: mine}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: notes, namespace: default}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: notes, namespace: flux-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mine}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: stuck, namespace: playground, finalizers: [example.org/stuck]}
---
apiVersion: v1
kind: Namespace
metadata: {name: of-a-walk, labels: {fluxdemo.github.io/walk: mine}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: inside, namespace: of-a-walk}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: of-a-walk, namespace: default, labels: {fluxdemo.github.io/walk: mine}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: guest, namespace: playground}
spec: {maxReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: guest}}
`)
	r := timedReset(t, d, "what learners leave")
	for _, want := range []string{
		"  namespace/mine: fluxdemo did not create it; it holds 1 object\n", "  default configmap/notes: fluxdemo did not create it\n",
		"  flux-system configmap/notes: ", "  clusterrole/mine: ", "  playground configmap/stuck: it is being deleted, and waits for its finalizer example.org/stuck\n",
		"kubectl delete",
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %v", want, r)
		}
	}
	if n := strings.Count(r.stderr, ": fluxdemo did not create it"); n != 4 {
		t.Errorf("%d objects are named, want 4: %v", n, r)
	}
	d.kubectl(t, "wait", "namespace/of-a-walk", "--for=delete", "--timeout=60s") // Kubernetes takes five seconds for that
	for name, args := range map[string]string{
		"configmap/of-a-walk": "-n default get configmap of-a-walk", "hpa/guest": "-n playground get hpa guest",
	} {
		if r := d.kube(strings.Fields(args)...); r.code == 0 {
			t.Errorf("%s is still there: %v", name, r)
		}
	}
	for _, args := range []string{"-n mine get configmap notes", "-n default get configmap notes", "-n flux-system get configmap notes", "get clusterrole mine"} {
		d.kubectl(t, strings.Fields(args)...)
	}
	d.kubectl(t, "-n", "playground", "patch", "configmap", "stuck", "--type=merge", "-p", `{"metadata":{"finalizers":null}}`)
	d.kubectl(t, "delete", "namespace/mine", "clusterrole/mine")
	d.kubectl(t, "-n", "default", "delete", "configmap", "notes")
	d.kubectl(t, "-n", "flux-system", "delete", "configmap", "notes")
	if r := timedReset(t, d, "nothing"); strings.Contains(r.stderr, "kept") {
		t.Errorf("after up and reset nothing is anybody's: %v", r)
	}
	same(t, before, state(t, d))
}

// TestResetAfterMess makes random messes, and resets after each.
func TestResetAfterMess(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	before := state(t, d)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 4 {
		dir := clone(t, d, "mess")
		var did []string
		for _, line := range mess.Some(random, 6) {
			r := d.run(nil, "/bin/bash", "-c", fmt.Sprintf("eval \"$(fluxdemo env --name %s)\" && cd '%s' && { %s; }", d.name, dir, line))
			if r.code == 0 { // one mess may be in the way of another
				did = append(did, line)
			}
		}
		timedReset(t, d, fmt.Sprintf("mess %d", round+1))
		same(t, before, state(t, d))
		await(t, healTime, "all is well", d.healthy)
		if t.Failed() {
			t.Fatalf("that was after\n%s", strings.Join(did, "\n"))
		}
	}
	d.kubectl(t, "-n", "default", "delete", "configmaps", "--field-selector=metadata.name!=kube-root-ca.crt")
}
