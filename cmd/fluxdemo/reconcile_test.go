package main

import (
	"strings"
	"testing"
)

// TestReconcile pushes while no webhook wakes Flux, and has it fetch and apply the commit.
func TestReconcile(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	t.Cleanup(func() { d.must(t, "reset") })
	d.kubectl(t, "-n", "flux-system", "patch", "receiver", "flux-system", "--type=merge", "-p", `{"spec":{"events":["ping"]}}`)
	dir := clone(t, d, "reconciled")
	edit(t, dir+"/apps/demo/app/app.env", "MESSAGE=", "MESSAGE=Reconciled: ")
	d.git(t, dir, "commit", "-q", "-a", "-m", "No webhook tells of this")
	d.git(t, dir, "push", "-q")
	pushed := "main@sha1:" + head(t, d)
	d.must(t, "reconcile", "kustomization/flux-system", "Kustomization/apps", "--with-source")
	for _, name := range []string{"flux-system", "apps"} {
		if got := d.kubectl(t, "-n", "flux-system", "get", "kustomization", name, "-o", "jsonpath={.status.lastAppliedRevision}"); got != pushed {
			t.Errorf("%s has applied %s, want %s", name, got, pushed)
		}
	}
	d.must(t, "reconcile", "receiver/flux-system", "gitrepository/flux-system")

	d.kubectl(t, "-n", "flux-system", "patch", "kustomization", "apps", "--type=merge", "-p", `{"spec":{"suspend":true}}`)
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"kustomization/apps", exitFailure, "is suspended"},
		{"kustomization/nobody", exitFailure, `"nobody" not found`},
		{"receiver/flux-system --with-source", exitUsage, "has no source"},
		{"deployment/app", exitUsage, "kustomization, "},
		{"apps", exitUsage, "for example kustomization/apps"},
	} {
		if r := d.fluxdemo(append([]string{"reconcile"}, strings.Fields(tt.args)...)...); r.code != tt.code || !strings.Contains(r.stderr, tt.says) {
			t.Errorf("%s: %v", tt.args, r)
		}
	}
}
