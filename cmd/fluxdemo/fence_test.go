package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/embedded"
)

// hostilePods are pods that use known images for what they are not for: each
// would run a program of the attacker's, or find the administrator's kubeconfig.
const hostilePods = `
apiVersion: v1
kind: Namespace
metadata: {name: hostile}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: plugin, namespace: hostile}
data:
  config: |
    apiVersion: v1
    kind: Config
    clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
    contexts: [{name: c, context: {cluster: c, user: u}}]
    current-context: c
    users:
      - name: u
        user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: [-c, "touch MARK"], interactiveMode: Never}}
---
apiVersion: v1
kind: Pod
metadata: {name: plugin, namespace: hostile}
spec:
  volumes: [{name: plugin, configMap: {name: plugin}}]
  containers:
    - name: main
      image: KUSTOMIZE
      env: [{name: KUBECONFIG, value: /plugin/config}]
      volumeMounts: [{name: plugin, mountPath: /plugin}]
---
apiVersion: v1
kind: Pod
metadata: {name: walk, namespace: hostile}
spec:
  volumes: [{name: plugin, configMap: {name: plugin}}]
  containers:
    - name: main
      image: ghcr.io/fluxdemo/fluxdemo:latest
      args: [walk, /plugin/config, --auto]
      volumeMounts: [{name: plugin, mountPath: /plugin}]
`

// TestHostilePods creates pods that try to leave what they are for.
func TestHostilePods(t *testing.T) {
	d := sharedDemo(t)
	mark := filepath.Join(t.TempDir(), "mark")
	image := strings.TrimSpace(d.kubectl(t, "-n", "flux-system", "get", "deploy", "kustomize-controller", "-o", "jsonpath={.spec.template.spec.containers[0].image}"))
	d.apply(t, strings.NewReplacer("MARK", mark, "KUSTOMIZE", image).Replace(hostilePods))
	t.Cleanup(func() { d.kubectl(t, "delete", "namespace", "hostile", "--wait=false") })
	for pod, want := range map[string]string{
		"plugin": "with the variable KUBECONFIG",
		"walk":   "runs only as serve or version",
	} {
		await(t, time.Minute, pod+" is refused", func() error {
			says := d.kubectl(t, "-n", "hostile", "get", "events", "-o", fmt.Sprintf(`jsonpath={.items[?(@.involvedObject.name=="%s")].message}`, pod))
			if !strings.Contains(says, want) {
				return fmt.Errorf("its events: %s", says)
			}
			return nil
		})
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a program of the attacker's has run")
	}
}

// TestFence lets a shell in a pod try what the fence is there for.
func TestFence(t *testing.T) {
	if !strings.HasPrefix(embedded.Fence(), "Landlock") {
		t.Skipf("this kernel cannot confine pods: %s", embedded.Fence())
	}
	d := sharedDemo(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	neighbour := strings.TrimSpace(d.kubectl(t, "-n", "fluxdemo", "get", "pods", "-o", "jsonpath={.items[0].metadata.uid}"))
	for name, c := range map[string]struct {
		command string
		allowed bool
	}{
		"its own files":                {"touch $HOME/x && cat $HOME/x && rm $HOME/x", true},
		"its own temporary files":      {"echo x > $TMPDIR/y && cat $TMPDIR/y", true},
		"its kubeconfig's neighbour":   {"cat " + d.kubeconfig(), false},
		"the keys of the cluster":      {"ls " + filepath.Join(d.cluster(), "pki"), false},
		"the data of etcd":             {"ls " + filepath.Join(d.cluster(), "etcd"), false},
		"files of a neighbour":         {"ls " + filepath.Join(d.cluster(), "node", "pods", neighbour, "home"), false},
		"the user's files":             {"cat " + secret, false},
		"the user's home":              {"ls " + d.home(), false},
		"a program that it brings":     {"cp /bin/true $TMPDIR/own && $TMPDIR/own", false},
		"another's environment":        {fmt.Sprintf("cat /proc/%d/environ", os.Getpid()), false},
		"a signal to the user's shell": {fmt.Sprintf("kill -0 %d", os.Getpid()), false},
	} {
		r := d.kube("-n", "app", "exec", "deploy/app", "--", "sh", "-c", c.command)
		if (r.code == 0) != c.allowed {
			t.Errorf("%s: allowed is %v, want %v: %v", name, r.code == 0, c.allowed, r)
		}
		if !c.allowed && !strings.Contains(r.stderr, "ermission denied") && !strings.Contains(r.stderr, "not permitted") {
			t.Errorf("%s: it is not refused: %v", name, r)
		}
	}
	if out := d.must(t, "status"); !strings.Contains(out, "Fence  Landlock") {
		t.Errorf("status does not name the fence:\n%s", out)
	}
}
