package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// colours is a walk whose undo forgets the Git host, and whose last step
// cannot succeed: what it pushes is nonsense.
const colours = `---
duration: 1m
---
# Colours

## Setup

` + "```sh\nrm -rf fleet\ngit clone -q \"$FLEET_URL\" fleet\n```" + `

## Gold

` + "```sh\ncd \"$WALK_DIR/fleet\"\nsed 's/^COLOR=.*/COLOR=gold/' apps/demo/app/app.env > new.env\nmv new.env apps/demo/app/app.env\n" +
	"git commit -q -a -m Gold\ngit push -q\n```\n```sh check timeout=65s label=\"the learner's commit is applied\"\n" +
	"head=$(git ls-remote \"$FLEET_URL\" main | cut -f 1)\ntest \"$head\" != \"$WALK_COMMIT\"\n" +
	"kubectl -n flux-system wait kustomization/apps --timeout=60s --for=jsonpath='{.status.lastAppliedRevision}'=\"main@sha1:$head\"\n```\n" +
	"```text hint\nPush something gold.\n```\n```sh undo\ncd \"$WALK_DIR/fleet\"\ngit fetch -q\ngit reset -q --hard \"$WALK_COMMIT\"\n```" + `

## Nonsense

` + "```sh\ncd \"$WALK_DIR/fleet\"\necho 'nonsense: [' >> apps/demo/app/kustomization.yaml\ngit commit -q -a -m Nonsense\ngit push -q\n" +
	"kubectl -n flux-system wait kustomization/apps --timeout=60s --for=condition=Ready=False\n```\n" +
	"```sh check timeout=2s label=\"nonsense is applied\"\nkubectl -n flux-system wait kustomization/apps --timeout=1s --for=condition=Ready\n```\n" +
	"```sh undo\ncd \"$WALK_DIR/fleet\"\ngit fetch -q\ngit reset -q --hard \"$WALK_COMMIT\"\n```\n"

func TestWalkSession(t *testing.T) {
	d := sharedDemo(t)
	file := filepath.Join(d.work(), "colours.md")
	if err := os.WriteFile(file, []byte(colours), 0o644); err != nil {
		t.Fatal(err)
	}
	start := head(t, d)
	back := func(t *testing.T) {
		t.Helper()
		if now := head(t, d); now != start {
			t.Errorf("main is at %s, not back at %s", now, start)
		}
		applied(t, d, "apps", start)
	}
	keys := func(t *testing.T, keys string, args ...string) result {
		t.Helper()
		script := "printf '" + keys + "' | fluxdemo walk \"$@\""
		return d.run(nil, "/bin/sh", append([]string{"-c", script, "sh"}, args...)...)
	}

	d.sub(t, "a failure names what is at fault", func(t *testing.T) {
		r := keys(t, `\n\nb\nb\nq\n`, file)
		for _, want := range []string{
			"✓ the learner's commit is applied", "✗ nonsense is applied", "Not ready in the cluster:",
			"Kustomization flux-system/apps: apps/demo/app: invalid Kustomization: yaml", "Warning BuildFailed", "✓ back: Nonsense", "✓ back: Gold",
		} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("no %q in %v", want, r)
			}
		}
		back(t)
	})
	d.sub(t, "killed in the middle", func(t *testing.T) {
		r := watched(t, d, []string{"walk", "gitops", "--plain", "--step=3", "--auto"}, "$ git push", func(walk *os.Process) error { return walk.Kill() })
		if r.code != -1 || strings.Contains(r.stderr, "Cleanup") {
			t.Fatal(r)
		}
		r = keys(t, `\n\n\n\n\n\n\n\n\n\n\n`, "gitops")
		if r.code != 0 || !strings.Contains(r.stdout, "Resuming at step 3") || !strings.Contains(r.stdout, "✓ Cleanup") {
			t.Error(r)
		}
		start = head(t, d) // its steps add commits
	})
	d.sub(t, "learnt", func(t *testing.T) {
		if r := d.fluxdemo("check"); r.code != exitUsage || !strings.Contains(r.stderr, "no walk is being learnt") {
			t.Error(r)
		}
		r := keys(t, ``, file, "--learn")
		if r.code != 0 || !strings.Contains(r.stdout, `eval "$(fluxdemo env)"`) || strings.Contains(r.stdout, "sed") {
			t.Error(r)
		}
		if r := d.fluxdemo("check"); r.code != exitFailure || !strings.Contains(r.stdout, ": the learner's commit is applied") || strings.Contains(r.stdout, "✓") {
			t.Error(r)
		}
		if out := d.must(t, "hint"); !strings.Contains(out, "Push something gold.") {
			t.Error(out)
		}
		// The learner's own way: another clone, another commit.
		dir := clone(t, d, "learner")
		edit(t, filepath.Join(dir, "apps", "demo", "app", "app.env"), "COLOR=", "COLOR=gold # was ")
		d.git(t, dir, "commit", "-q", "-a", "-m", "Mine")
		d.git(t, dir, "push", "-q")
		if out := d.must(t, "check", "--wait"); !strings.Contains(out, "✓ done: Gold") || !strings.Contains(out, "2/2 Nonsense") {
			t.Error(out)
		}
		r = keys(t, `g 1\ns\nb\nq\n`, file)
		if r.code != 0 || !strings.Contains(r.stdout, "✓ skipped: Gold") {
			t.Error(r)
		}
		back(t)
		if out := d.must(t, "solve"); !strings.Contains(out, "$ git push -q") || !strings.Contains(out, "2/2 Nonsense") {
			t.Error(out)
		}
		// The first takes back what may have been done of the next step.
		if r := keys(t, `b\nb\nq\n`, file); r.code != 0 || !strings.Contains(r.stdout, "✓ back: Gold") {
			t.Error(r)
		}
		back(t)
	})
	d.sub(t, "for machines", func(t *testing.T) {
		junit, cast := filepath.Join(d.work(), "junit.xml"), filepath.Join(d.work(), "walk.cast")
		r := d.fluxdemo("walk", file, "--auto", "--json", "--junit", junit, "--record", cast)
		if r.code != exitFailure || !strings.Contains(r.stderr, "--step 2") {
			t.Error(r)
		}
		last := map[string]any{}
		for _, line := range strings.Split(strings.TrimSpace(r.stdout), "\n") {
			last = map[string]any{}
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Errorf("%v in %s", err, line)
			}
		}
		if last["event"] != "walk-end" || last["ok"] != false {
			t.Errorf("the last line is %v", last)
		}
		raw, err := os.ReadFile(junit)
		var report struct {
			Suites []struct {
				Failures int `xml:"failures,attr"`
			} `xml:"testsuite"`
		}
		if err == nil {
			err = xml.Unmarshal(raw, &report)
		}
		if err != nil || len(report.Suites) != 1 || report.Suites[0].Failures != 1 {
			t.Errorf("%v in\n%s", err, raw)
		}
		if raw, err := os.ReadFile(cast); err != nil || !strings.HasPrefix(string(raw), `{"version":2,`) {
			t.Errorf("%v in\n%s", err, raw)
		}
		if r := keys(t, `g 1\nq\n`, file); r.code != 0 {
			t.Error(r)
		}
	})
	dir := clone(t, d, "mend")
	d.git(t, dir, "reset", "-q", "--hard", start)
	d.git(t, dir, "push", "-q", "--force")
	applied(t, d, "apps", start)
	await(t, healTime, "a healthy demo", d.healthy) // the app rolls out
}
