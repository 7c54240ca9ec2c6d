package main

import (
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/health"
)

// TestStatusOfWhatIsNotThere takes parts of a demo away. status has a row for each, and fails.
func TestStatusOfWhatIsNotThere(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	await(t, healTime, "all is well", d.healthy)
	t.Cleanup(func() {
		d.must(t, "reset")
		d.must(t, "up")
		await(t, healTime, "all is well", d.healthy)
	})
	d.kubectl(t, "-n", "fluxdemo", "delete", "deployment", "inbox")
	d.kubectl(t, "-n", "flux-system", "delete", "receiver", "flux-system")
	d.kubectl(t, "-n", "flux-system", "scale", "deployment", "helm-controller", "--replicas=0")
	d.kubectl(t, "-n", "app", "scale", "deployment", "app", "--replicas=0")
	for _, app := range []string{"app", "inbox"} {
		namespace := map[string]string{"app": "app", "inbox": "fluxdemo"}[app]
		d.kubectl(t, "-n", namespace, "wait", "pod", "-l", "app="+app, "--for=delete", "--timeout=60s")
	}
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"inbox": health.Missing, "app": health.ScaledToZero, "helm-controller": health.ScaledToZero} {
		if part, err := component(s, name); err != nil || part.State != want || part.Message == "" {
			t.Errorf("%s: %+v, %v, want %s", name, part, err, want)
		}
	}
	missing := ""
	for _, o := range s.Objects {
		if o.Ready == health.Missing {
			missing += o.Kind + "/" + o.Name
		}
	}
	if missing != "Receiver/flux-system" {
		t.Errorf("missing objects: %q", missing)
	}
	if s.URLs.App != "" || s.URLs.Inbox != "" || s.URLs.Git == "" {
		t.Errorf("the URLs are %+v", s.URLs)
	}
	if s.Healthy() {
		t.Error("it is said to be healthy")
	}
	for _, format := range []string{"", "wide"} {
		args := []string{"status"}
		if format != "" {
			args = append(args, "-o", format)
		}
		r := d.fluxdemo(args...)
		for _, want := range []string{"Missing", "ScaledToZero", "App    not running\n", "Inbox  not running\n", "app/app does not run:\n", "receiver/flux-system is not ready:\n"} {
			if r.code != exitFailure || !strings.Contains(r.stdout, want) {
				t.Errorf("no %q in %v", want, r)
			}
		}
	}

	// What Git itself scales to zero is as it should be.
	d.must(t, "up")
	dir := clone(t, d, "zero")
	edit(t, dir+"/apps/base/app/deployment.yaml", "replicas: 1", "replicas: 0")
	d.git(t, dir, "commit", "-q", "-a", "-m", "Nothing tonight")
	d.git(t, dir, "push", "-q")
	d.kubectl(t, "-n", "flux-system", "wait", "kustomization/apps", "--timeout=60s",
		"--for=jsonpath={.status.lastAppliedRevision}=main@sha1:"+d.git(t, dir, "rev-parse", "HEAD"))
	await(t, healTime, "all is well without the app", d.healthy)
}
