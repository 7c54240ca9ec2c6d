package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/folder"
)

// damages are ways in which a file's content is lost, by name.
func damages() map[string]func(whole []byte) []byte {
	return map[string]func(whole []byte) []byte{
		"empty":   func([]byte) []byte { return nil },
		"half":    func(whole []byte) []byte { return whole[:len(whole)/2] },
		"garbage": func([]byte) []byte { return []byte("\x00\x01 garbage\n") },
		"zeros":   func(whole []byte) []byte { return make([]byte, len(whole)) },
	}
}

// damage damages a file of the cluster's folder.
func (d *testDemo) damage(t *testing.T, name, how string) {
	t.Helper()
	path := filepath.Join(d.cluster(), name)
	whole, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, damages()[how](whole), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a file below the cluster's folder.
func (d *testDemo) put(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(d.cluster(), name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// says runs a verb that has to fail with one line that says something of each
// of want.
func (d *testDemo) says(t *testing.T, code int, args []string, want ...string) {
	t.Helper()
	r := d.fluxdemo(args...)
	missing := func(part string) bool { return !strings.Contains(r.stderr, part) }
	if r.code != code || strings.Count(r.stderr, "\n") != 1 || slices.ContainsFunc(want, missing) {
		t.Errorf("not exit code %d and one line with %q: %v", code, want, r)
	}
}

// TestTornState damages each state file of a cluster in turn, while it runs
// and while it is stopped: the next verb works, or says in one line what to
// do, and what was pushed is there at the end.
func TestTornState(t *testing.T) {
	d := ownDemo(t)
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	before, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	d.must(t, "clone", "fleet")
	fleet := filepath.Join(d.work(), "fleet")
	d.git(t, fleet, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--allow-empty", "-m", "Acknowledged")
	d.git(t, fleet, "push")
	pushed := d.git(t, fleet, "rev-parse", "HEAD")

	d.sub(t, "while it runs", func(t *testing.T) {
		for how := range damages() {
			d.damage(t, "kubeconfig", how)
			if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stdout, "`fluxdemo up` writes it") {
				t.Errorf("kubeconfig, %s: %v", how, r)
			}
			d.must(t, "up")
			d.kubectl(t, "get", "nodes")
			// What nothing reads while it runs, and what falls back on other files.
			whole := map[string]string{}
			for _, name := range []string{folder.MarkFile, "cluster.json", "run/egress.yaml", "run/admin.kubeconfig"} {
				raw, err := os.ReadFile(filepath.Join(d.cluster(), name))
				if err != nil {
					t.Fatal(err)
				}
				whole[name] = string(raw)
				d.damage(t, name, how)
			}
			d.must(t, "status")
			for name, content := range whole {
				d.put(t, name, content)
			}
			d.damage(t, "git-login", how)
			d.must(t, "env")
			d.git(t, fleet, "fetch")
		}
		d.damage(t, folder.MarkFile, "half")
		d.must(t, "up")
		if raw, err := os.ReadFile(filepath.Join(d.cluster(), folder.MarkFile)); err != nil || !strings.HasSuffix(string(raw), "}\n") {
			t.Errorf("up does not write the mark again: %q, %v", raw, err)
		}
	})
	d.sub(t, "files of walks and talks", func(t *testing.T) {
		for how := range damages() {
			d.put(t, "walks/gitops.json", string(damages()[how]([]byte(`{"walk":"x","done":[]}`))))
			d.says(t, exitFailure, []string{"check", "gitops"}, "walks/gitops.json to start again")
			d.put(t, "walks/learning.walk", string(damages()[how]([]byte("gitops\n"))))
			r := d.fluxdemo("check")
			if r.code != exitUsage || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("learning.walk, %s: %v", how, r)
			}
			d.put(t, "../."+d.name+".stage.json", string(damages()[how]([]byte(`{"url":"http://127.0.0.1:1","token":"x"}`))))
			d.says(t, exitFailure, []string{"next"}, "stage.json", "`fluxdemo present DECK` rewrites it")
		}
		if err := os.RemoveAll(filepath.Join(d.cluster(), "walks")); err != nil {
			t.Error(err)
		}
	})
	d.sub(t, "where the supervisor is", func(t *testing.T) {
		d.damage(t, "run/control.json", "half")
		d.says(t, exitFailure, []string{"status"}, "control.json is damaged", "`fluxdemo up` restarts it, `fluxdemo down` ends it")
		d.says(t, exitFailure, []string{"env"}, "control.json is damaged")
		d.must(t, "up")
		await(t, healTime, "all is well", d.healthy)
		d.damage(t, "run/control.json", "garbage")
		d.must(t, "down", "--keep-data")
		await(t, lastGasp, "nothing runs", func() error { return gone(d.dir) })
	})
	d.sub(t, "while it is stopped", func(t *testing.T) {
		if r := d.fluxdemo("status"); !strings.Contains(r.stdout, "is stopped") {
			t.Error(r)
		}
		settings, err := os.ReadFile(filepath.Join(d.cluster(), "cluster.json"))
		if err != nil {
			t.Fatal(err)
		}
		for how := range damages() {
			d.damage(t, "cluster.json", how)
			d.says(t, exitFailure, []string{"up"}, "cluster.json in", "is damaged", "`fluxdemo down --name "+d.name+"` removes the cluster")
		}
		d.put(t, "cluster.json", string(settings))
		// All that is made anew, at once.
		for _, name := range []string{
			folder.MarkFile, "kubeconfig", "pki/ca.crt", "pki/admin.key", "pki/service-account.key",
			"run/egress.yaml", "run/admin.kubeconfig", "run/kube-scheduler.kubeconfig", "run/kube-controller-manager.kubeconfig",
		} {
			d.damage(t, name, "half")
		}
		d.put(t, "run/control.json", "{")
		d.must(t, "up")
		await(t, healTime, "all is well", d.healthy)
		after, err := d.status()
		if err != nil || after.URLs != before.URLs {
			t.Errorf("URLs before: %v and after: %v, %v", before.URLs, after.URLs, err)
		}
		d.must(t, "env")
		if now := d.git(t, fleet, "ls-remote", "origin", "main"); !strings.HasPrefix(now, pushed) {
			t.Errorf("pushed was %s, there is %s", pushed, now)
		}
	})
	d.sub(t, "down", func(t *testing.T) {
		for i, name := range []string{"cluster.json", "kubeconfig", "fleet.git", folder.MarkFile, "git-login", "walks"} {
			d.put(t, fmt.Sprintf(".%s.writing-%d", name, i), "{")
		}
		d.damage(t, "run/control.json", "zeros")
		d.damage(t, "cluster.json", "half")
		d.damage(t, folder.MarkFile, "empty")
		d.damage(t, "kubeconfig", "garbage")
		d.must(t, "down")
		if err := gone(d.dir); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(d.cluster()); err == nil {
			t.Errorf("the folder still holds %v", folder.Left(d.cluster()))
		}
	})
}
