package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/fleet"
)

// attendee runs git as somebody whom the demo does not know.
func attendee(t *testing.T, d *testDemo, dir string, args ...string) string {
	t.Helper()
	return d.git(t, dir, append([]string{"-c", "user.name=Attendee", "-c", "user.email=a@example.org"}, args...)...)
}

// TestRewrittenHistory has the fleet's history rewritten in several ways, and brings the beginning back each time.
func TestRewrittenHistory(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	start, before := head(t, d), state(t, d)
	file := filepath.Join(d.cluster(), fleet.BeginningFile)
	if out := d.must(t, "env"); !strings.Contains(out, "export FLEET_BEGINNING='"+file+"'\n") {
		t.Errorf("env does not tell %s:\n%s", file, out)
	}
	paint := func(dir string) {
		edit(t, filepath.Join(dir, "apps", "demo", "app", "app.env"), "COLOR=", "COLOR=tomato # was ")
	}
	for _, tt := range []struct {
		name    string
		rewrite func(t *testing.T, dir string)
		walk    string // that starts from there
	}{
		{"amended", func(t *testing.T, dir string) {
			paint(dir)
			attendee(t, d, dir, "commit", "-q", "-a", "--amend", "--no-edit")
		}, ""},
		{"a second root merged", func(t *testing.T, dir string) {
			attendee(t, d, dir, "checkout", "-q", "--orphan", "mine")
			attendee(t, d, dir, "rm", "-rqf", ".")
			attendee(t, d, dir, "commit", "-q", "--allow-empty", "-m", "Mine")
			attendee(t, d, dir, "merge", "-q", "--allow-unrelated-histories", "-m", "Both", "main")
			paint(dir)
			attendee(t, d, dir, "commit", "-q", "-a", "-m", "Paint it")
		}, "gitops"},
		{"unrelated, and nothing for the cluster in it", func(t *testing.T, dir string) {
			attendee(t, d, dir, "checkout", "-q", "--orphan", "mine")
			attendee(t, d, dir, "rm", "-rqf", ".")
			attendee(t, d, dir, "commit", "-q", "--allow-empty", "-m", "Mine")
		}, "principles"},
		{"unrelated, with the same files", func(t *testing.T, dir string) {
			paint(dir)
			attendee(t, d, dir, "checkout", "-q", "--orphan", "mine")
			attendee(t, d, dir, "commit", "-q", "-a", "-m", fleet.BeginningMessage)
		}, ""},
	} {
		d.sub(t, tt.name, func(t *testing.T) {
			dir := clone(t, d, "rewritten "+tt.name)
			tt.rewrite(t, dir)
			d.git(t, dir, "push", "-q", "--force", "origin", "HEAD:main")
			rewritten := d.git(t, dir, "rev-parse", "HEAD")
			d.kubectl(t, "-n", "flux-system", "wait", "gitrepository/flux-system", "--timeout=60s",
				"--for=jsonpath={.status.artifact.revision}=main@sha1:"+rewritten)
			if tt.walk != "" {
				d.must(t, "walk", tt.walk, "--auto")
			}
			d.must(t, "reset")
			if now := head(t, d); now != start || now == rewritten {
				t.Errorf("main is %s, want %s", now, start)
			}
			same(t, before, state(t, d))
		})
	}
	await(t, healTime, "all is well", d.healthy)

	// As an earlier version has left it, and as a full disk may have.
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{nil, kept[:len(kept)/2]} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if raw == nil {
			d.must(t, "reset")
			continue
		}
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, verb := range [][]string{{"reset"}, {"up"}, {"walk", "gitops", "--auto"}} {
			if r := d.fluxdemo(verb...); r.code != exitFailure || !strings.Contains(r.stderr, file+" is damaged") || !strings.Contains(r.stderr, "remove it") {
				t.Errorf("%v", r)
			}
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	d.must(t, "up")
	if again, err := os.ReadFile(file); err != nil || len(again) == 0 || head(t, d) != start {
		t.Errorf("%d bytes, %v", len(again), err)
	}
	b, err := fleet.ReadBeginning(file)
	if err != nil || b.Commit != start {
		t.Errorf("the beginning is %+v, %v, want %s", b, err, start)
	}
}

// broken are Kustomizations that never get ready, each for a reason of its own.
const broken = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: flux-system}
spec: {interval: 1m, retryInterval: 5s, timeout: 30s, prune: true, wait: true, %s, sourceRef: {kind: GitRepository, name: flux-system}}
---
`

// TestLeftBehind leaves in the fleet and beside it what never gets ready. Nothing else waits for it or fails.
func TestLeftBehind(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	before := state(t, d)
	dir := clone(t, d, "left behind")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("notes/notes.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: notes, namespace: playground}\n")
	write("never/never.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: never, namespace: playground}\n"+
		"spec:\n  selector: {matchLabels: {a: never}}\n  template:\n    metadata: {labels: {a: never}}\n"+
		"    spec:\n      nodeSelector: {a: never}\n      containers: [{name: never, image: never}]\n")
	write("clusters/demo/left.yaml", fmt.Sprintf(broken, "depends", "path: ./notes, dependsOn: [{name: not-written-yet}]")+
		fmt.Sprintf(broken, "lost", "path: ./nowhere")+fmt.Sprintf(broken, "unhealthy", "path: ./never")+
		fmt.Sprintf(broken, "asleep", "path: ./nowhere, suspend: true"))
	d.git(t, dir, "add", ".")
	d.git(t, dir, "commit", "-q", "-m", "Left behind")
	d.git(t, dir, "push", "-q")
	apply(t, d, strings.TrimSuffix(fmt.Sprintf(broken, "by-hand", "path: ./nowhere"), "---\n"))
	for _, name := range []string{"depends", "lost", "unhealthy", "by-hand"} {
		d.kubectl(t, "-n", "flux-system", "wait", "kustomization/"+name, "--for=create", "--timeout=60s")
		d.kubectl(t, "-n", "flux-system", "wait", "kustomization/"+name, "--for=condition=Ready=False", "--timeout=90s")
	}

	file := filepath.Join(d.work(), "colours.md")
	if err := os.WriteFile(file, []byte(colours), 0o644); err != nil {
		t.Fatal(err)
	}
	here := state(t, d)
	began := time.Now()
	out := press(t, d, `\nb\nq\n`, file)
	for _, want := range []string{"Not ready before", "kustomization/depends (dependency", "kustomization/lost (", "kustomization/unhealthy (", "kustomization/by-hand (", "✓ back: Gold"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "asleep") {
		t.Errorf("what is suspended is named:\n%s", out)
	}
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("there and back took %s", took)
	}
	same(t, here, state(t, d))
	d.must(t, "up")
	d.must(t, "walk", "gitops", "--auto")
	press(t, d, `g 1\nq\n`, "how-flux-does-it") // leaves a Kustomization, which reset has Flux prune
	two := filepath.Join(d.work(), "two.mmd")
	if err := os.WriteFile(two, []byte("graph TD\nA-->B\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.must(t, "diagram", "run", two)
	d.must(t, "reset")
	same(t, before, state(t, d))
	await(t, healTime, "all is well", d.healthy)
}

// TestNamesakes has somebody else's objects stand where walks make their own, and with the labels that others use. Walks
// that need such a name say so, and all of it stays as it was.
func TestNamesakes(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	const label = "app.example.org/theirs=yes"
	apply(t, d, `apiVersion: v1
kind: Namespace
metadata: {name: team-a, labels: {app.example.org/theirs: "yes", toolkit.fluxcd.io/tenant: team-a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: payments, labels: {app.example.org/theirs: "yes", toolkit.fluxcd.io/tenant: payments}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: playground, labels: {app.example.org/theirs: "yes"}}
data: {volume: theirs}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: greeting, namespace: playground, labels: {app.example.org/theirs: "yes"}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: patient, namespace: flux-system, labels: {app.example.org/theirs: "yes"}}
spec: {interval: 10m, suspend: true, url: "http://git.example.org/theirs.git"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: heavy-3, namespace: flux-system, labels: {app.example.org/theirs: "yes", tenant: heavy, sharding.fluxcd.io/key: theirs}}
spec: {interval: 10m, suspend: true, prune: true, sourceRef: {kind: GitRepository, name: patient}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: greetings, namespace: flux-system, labels: {app.example.org/theirs: "yes"}}
spec: {interval: 10m, suspend: true, prune: true, sourceRef: {kind: GitRepository, name: patient}}
`)
	const kinds = "configmaps,gitrepositories.source.toolkit.fluxcd.io,kustomizations.kustomize.toolkit.fluxcd.io"
	theirs := func() string {
		const line = `{range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.labels} {.metadata.annotations} {.spec} {.data}{"\n"}{end}`
		return d.kubectl(t, "get", "namespaces", "-l", label, "-o", "jsonpath="+line) + d.kubectl(t, "get", kinds, "-A", "-l", label, "-o", "jsonpath="+line)
	}
	before := theirs()
	if n := strings.Count(before, "theirs"); n < 7 {
		t.Fatalf("only\n%s", before)
	}
	for walk, want := range map[string]string{
		"drift": "ConfigMap settings that is not from Git", "ga": `"patient" already exists`, "how-flux-does-it": "Kustomization greetings",
		"multi-tenancy": `namespaces "team-a" already exists`, "sharding": `"heavy-3" already exists`,
	} {
		d.sub(t, walk, func(t *testing.T) {
			if r := d.fluxdemo("walk", walk, "--auto"); r.code != exitFailure || !strings.Contains(r.stderr, want) {
				t.Errorf("no %q in %v", want, r)
			}
			if after := theirs(); after != before {
				t.Errorf("another owner's objects were\n%s\nand are\n%s", before, after)
			}
		})
	}
	// Two of a name would stop Flux.
	file := filepath.Join(d.work(), "clash.mmd")
	if err := os.WriteFile(file, []byte("graph TD\nA-->B\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.kubectl(t, "-n", "playground", "create", "configmap", "clash--b")
	start := head(t, d)
	if r := d.fluxdemo("diagram", "run", file); r.code != exitFailure || !strings.Contains(r.stderr, "ConfigMap clash--b") || head(t, d) != start {
		t.Errorf("%v", r)
	}
	d.kubectl(t, "-n", "playground", "delete", "configmap", "clash--b")
	d.kubectl(t, "delete", "namespaces", "-l", label)
	d.kubectl(t, "delete", kinds, "-A", "-l", label)
	d.must(t, "reset")
	await(t, healTime, "all is well", d.healthy)
}
