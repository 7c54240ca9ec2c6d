package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// theirGit is a Git host in a namespace of others, so that their Flux has
// something to do.
const theirGit = `
apiVersion: v1
kind: Namespace
metadata: {name: forge}
---
apiVersion: v1
kind: Service
metadata: {name: git, namespace: forge}
spec:
  type: NodePort
  selector: {app: git}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: git, namespace: forge}
spec:
  selector: {matchLabels: {app: git}}
  template:
    metadata: {labels: {app: git}}
    spec:
      containers:
        - name: git
          image: ghcr.io/fluxdemo/fluxdemo:latest
          args: [serve, git, --addr=:8080, --root=/data]
          env:
            - {name: GIT_USERNAME, value: them}
            - {name: GIT_PASSWORD, value: theirs}
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
`

// theirFlux is what others have Flux do, some of it with names that the demo
// uses elsewhere.
const theirFlux = `
apiVersion: v1
kind: Namespace
metadata: {name: theirs}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: precious, namespace: theirs}
data: {value: "42"}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: theirs, namespace: flux-system}
spec:
  interval: 1h
  url: http://git.forge.svc.cluster.local/fleet.git
  ref: {branch: main}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: web, namespace: flux-system}
spec:
  interval: 1h
  path: ./web
  prune: true
  serviceAccountName: kustomize-controller
  sourceRef: {kind: GitRepository, name: theirs}
---
# Two that are suspended for a reason, and one of a shard of theirs.
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: frozen, namespace: flux-system}
spec: {interval: 1h, suspend: true, url: "http://git.forge.svc.cluster.local/fleet.git"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: frozen, namespace: flux-system}
spec:
  interval: 1h
  suspend: true
  path: ./web
  prune: true
  sourceRef: {kind: GitRepository, name: theirs}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: heavy, namespace: flux-system, labels: {sharding.fluxcd.io/key: theirs, tenant: heavy}}
spec:
  interval: 1h
  path: ./nowhere
  prune: true
  sourceRef: {kind: GitRepository, name: theirs}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: theirs, namespace: flux-system}
spec: {type: generic, address: "http://git.forge.svc.cluster.local/"}
---
apiVersion: v1
kind: Secret
metadata: {name: theirs, namespace: flux-system}
stringData: {token: theirs}
---
# The demo's names, in a namespace of theirs.
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: theirs}
spec: {interval: 1h, url: "http://git.forge.svc.cluster.local/fleet.git", ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: theirs, labels: {fluxdemo.github.io/diagram: web}}
spec:
  interval: 1h
  path: ./web
  prune: true
  serviceAccountName: default
  sourceRef: {kind: GitRepository, name: flux-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: theirs}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: nginx}]}
`

// squatter is what others put into a namespace of the demo.
const squatter = `
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs, namespace: %[1]s, labels: {tenant: heavy}}
data: {value: theirs}
---
apiVersion: v1
kind: Secret
metadata: {name: theirs, namespace: %[1]s}
stringData: {token: theirs}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: theirs, namespace: %[1]s}
---
apiVersion: v1
kind: Service
metadata: {name: theirs, namespace: %[1]s}
spec: {selector: {app: theirs}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: theirs, namespace: %[1]s, labels: {tenant: heavy}}
spec:
  replicas: 0
  selector: {matchLabels: {app: theirs}}
  template:
    metadata: {labels: {app: theirs}}
    spec: {containers: [{name: theirs, image: nginx}]}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: theirs, namespace: %[1]s}
spec:
  interval: 1h
  suspend: true
  path: ./web
  prune: true
  sourceRef: {kind: GitRepository, name: theirs}
`

// apply applies manifests on a cluster.
func (d *testDemo) apply(t *testing.T, manifests string) {
	t.Helper()
	file := filepath.Join(d.work(), fmt.Sprintf("apply-%d.yaml", time.Now().UnixNano()))
	if err := os.WriteFile(file, []byte(manifests), 0o600); err != nil {
		t.Fatal(err)
	}
	d.kubectl(t, "apply", "-f", file)
}

// furnish fills a cluster with what belongs to others: a Flux with lockdown
// flags and a shard, a repository that it follows, and tenants.
func furnish(t *testing.T, host *testDemo) {
	t.Helper()
	host.kubectl(t, "apply", "--server-side", "-f", host.bundle.Path("flux.yaml"))
	for controller, flags := range map[string][]string{
		"kustomize-controller":    {"--no-cross-namespace-refs=true", "--no-remote-bases=true", "--default-service-account=default", "--watch-label-selector=!sharding.fluxcd.io/key"},
		"helm-controller":         {"--no-cross-namespace-refs=true", "--default-service-account=default"},
		"notification-controller": {"--no-cross-namespace-refs=true"},
	} {
		var patch []map[string]string
		for _, flag := range flags {
			patch = append(patch, map[string]string{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": flag})
		}
		raw, err := json.Marshal(patch)
		if err != nil {
			t.Fatal(err)
		}
		host.kubectl(t, "-n", "flux-system", "patch", "deployment", controller, "--type=json", "-p", string(raw))
	}
	// A shard of theirs, whose key is no shard of the demo.
	var shard map[string]any
	if err := json.Unmarshal([]byte(host.kubectl(t, "-n", "flux-system", "get", "deployment", "kustomize-controller", "-o", "json")), &shard); err != nil {
		t.Fatal(err)
	}
	shard["metadata"] = map[string]any{"name": "kustomize-controller-theirs", "namespace": "flux-system", "labels": map[string]string{"app.kubernetes.io/part-of": "flux"}}
	delete(shard, "status")
	raw, err := json.Marshal(shard)
	if err != nil {
		t.Fatal(err)
	}
	host.apply(t, strings.NewReplacer("!sharding.fluxcd.io/key", "sharding.fluxcd.io/key=theirs", `"app":"kustomize-controller"`, `"app":"kustomize-controller-theirs"`).Replace(string(raw)))
	host.apply(t, theirGit)
	host.kubectl(t, "-n", "forge", "rollout", "status", "deployment/git", "--timeout=60s")
	port := host.kubectl(t, "-n", "forge", "get", "service", "git", "-o", "jsonpath={.spec.ports[0].nodePort}")
	dir := filepath.Join(host.work(), "theirs")
	if err := os.MkdirAll(filepath.Join(dir, "web"), 0o755); err != nil {
		t.Fatal(err)
	}
	web := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: theirs}\ndata: {from: git}\n"
	if err := os.WriteFile(filepath.Join(dir, "web", "web.yaml"), []byte(web), 0o600); err != nil {
		t.Fatal(err)
	}
	host.git(t, dir, "init", "-q", "-b", "main")
	host.git(t, dir, "add", ".")
	host.git(t, dir, "-c", "user.name=Owner", "-c", "user.email=owner@example.org", "commit", "-q", "-m", "Ours")
	await(t, healTime, "their Git host takes a push", func() error {
		return host.run(nil, all.git, "-C", dir, "push", "-q", "http://them:theirs@127.0.0.1:"+port+"/fleet.git", "main").err()
	})
	host.apply(t, theirFlux)
	flux := filepath.Join(host.work(), "flux")
	if err := os.Symlink(host.bundle.Path("flux"), flux); err != nil {
		t.Fatal(err)
	}
	if r := host.run([]string{"KUBECONFIG=" + host.kubeconfig()}, flux, "create", "tenant", "team-a", "--with-namespace=team-a"); r.code != 0 {
		t.Fatal(r)
	}
	for _, controller := range []string{"source-controller", "kustomize-controller", "kustomize-controller-theirs", "notification-controller", "helm-controller"} {
		host.kubectl(t, "-n", "flux-system", "rollout", "status", "deployment/"+controller, "--timeout=90s")
	}
	host.kubectl(t, "-n", "flux-system", "wait", "kustomization/web", "--for=condition=Ready", "--timeout=60s")
	host.kubectl(t, "-n", "theirs", "rollout", "status", "deployment/app", "--timeout=60s")
}

// bystanders reads everything that is on a cluster, by UID, in a form in
// which two moments can be compared: as its owners have written it.
func bystanders(t *testing.T, host *testDemo) map[string]string {
	t.Helper()
	kinds := strings.Fields(host.kubectl(t, "api-resources", "--verbs=list,delete", "-o", "name"))
	kinds = without(kinds, "events", "events.events.k8s.io", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io")
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(host.kubectl(t, "get", strings.Join(kinds, ","), "-A", "--ignore-not-found", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, o := range list.Items {
		metadata, _ := o["metadata"].(map[string]any)
		delete(metadata, "resourceVersion")
		delete(metadata, "managedFields")
		delete(o, "status")
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		found[fmt.Sprint(metadata["uid"])] = string(text)
	}
	return found
}

// unharmed checks that all bystanders are as they were.
func unharmed(t *testing.T, host *testDemo, before map[string]string) {
	t.Helper()
	after := bystanders(t, host)
	for _, uid := range slices.Sorted(maps.Keys(before)) {
		if after[uid] != before[uid] {
			t.Errorf("a bystander was\n\t%s\nand is\n\t%s", before[uid], or(after[uid], "not there"))
		}
	}
}
