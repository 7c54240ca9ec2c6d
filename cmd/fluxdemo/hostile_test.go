package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
)

// probeWalk does a bit of everything that walks do, and shows what it sees.
const probeWalk = `---
duration: 5s
---

# Probe

## Setup

~~~sh
rm -rf fleet
~~~

## Push

~~~sh
git clone -q "$FLEET_URL" fleet
cd fleet
date +%s%N > probe.txt
git add probe.txt
git commit -q -m "Probe it"
git push -q
git log -1 --format='%an <%ae> %cn: %s'
test "$(git log -1 --date=format:%Y --format=%ad)" = "$(date +%Y)"
git status --short --branch
git ls-files --eol README.md
printf '%s\n' b I i A a | sort | tr '\n' ' '
env | cut -d= -f1 | grep -vx -e TERM -e TZ | sort | tr '\n' ' '
bash -c 'echo "$BASH_VERSION" | cut -c 1'
~~~

~~~sh check timeout=60s label="applied"
kubectl -n flux-system wait kustomization/apps --timeout=60s \
  --for=jsonpath='{.status.lastAppliedRevision}'="main@sha1:$(git ls-remote "$FLEET_URL" refs/heads/main | cut -f 1)"
~~~

~~~sh undo
cd "$WALK_DIR"
rm -rf fleet
~~~

## Look

~~~sh look
kubectl get namespace flux-system -o name
kubectl get namespace flux-system | wc -l
flux get kustomizations --no-header | cut -f 1
curl -fsS "$APP_URL" | head -c 15
git diff HEAD~1 --stat
~~~

~~~sh check timeout=60s label="served"
fluxdemo wait page "$APP_URL" --contains "Hello from Git" --timeout=30s
fluxdemo shard list
~~~

## Go back

~~~sh
git revert HEAD | head -n 1
git push -q
~~~

~~~sh check timeout=60s label="applied"
kubectl -n flux-system wait kustomization/apps --timeout=60s \
  --for=jsonpath='{.status.lastAppliedRevision}'="main@sha1:$(git ls-remote "$FLEET_URL" refs/heads/main | cut -f 1)"
~~~

~~~sh undo
cd "$WALK_DIR/fleet"
git fetch -q
git reset -q --hard "$WALK_COMMIT"
git push -q --force
~~~

## Cleanup

~~~sh
rm -rf fleet
~~~
`

// probeShell works in a shell of the user's own, as env makes it. The repository that it may push to is not changed.
const probeShell = `set -eu
eval "$(fluxdemo env)"
rm -rf "$T/own"
git clone -q "$FLEET_URL" "$T/own"
cd "$T/own"
echo "$T" > probe.txt
git add probe.txt
git commit -q -m "By hand"
git push -q --dry-run --force
git rev-parse --show-toplevel | grep -c /own
git rev-parse --abbrev-ref @{upstream}
kubectl get namespace flux-system -o name
flux get kustomizations --no-header | wc -l
curl -q -fsS "$APP_URL" | head -c 15
`

// outcome is what a command wrote without what is never the same: times and commits.
func outcome(r result) string {
	out := regexp.MustCompile(`\b[0-9a-f]{7,40}\b`).ReplaceAllString(r.stdout, "COMMIT")
	out = regexp.MustCompile(`([0-9]+ min )?[0-9]+(\.[0-9]+)? ?m?s\b`).ReplaceAllString(out, "TIME")
	out = regexp.MustCompile(`(?m)^ *Date: .*\n`).ReplaceAllString(out, "")
	out = regexp.MustCompile(`(?m)^\s*… .*\n`).ReplaceAllString(out, "") // a check that waits
	if r.code != 0 {
		out += r.stderr
	}
	return fmt.Sprintf("%d\n%s", r.code, regexp.MustCompile(` +`).ReplaceAllString(out, " "))
}

// differ returns the lines that only one of two texts has.
func differ(want, got string) string {
	var out strings.Builder
	for _, side := range []struct{ mark, text, other string }{{"-", want, got}, {"+", got, want}} {
		there := strings.Split(side.other, "\n")
		for _, line := range strings.Split(side.text, "\n") {
			if !slices.Contains(there, line) {
				fmt.Fprintf(&out, "%s %s\n", side.mark, line)
			}
		}
	}
	return out.String()
}

// fingerprint sums up the files of a folder, with their modes. What is not there has none.
func fingerprint(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			all[path] = info.Mode().String()
			if info.Mode().IsRegular() {
				raw, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				all[path] += fmt.Sprintf(" %x", sha256.Sum256(raw))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// laptop is a user's home and repository, and how their commands are run.
type laptop struct {
	d          *testDemo
	home, repo string
	quoted     string // repo, for a shell
	origin     string // of the repository
	scratch    string // for what the commands make
	vars       []string
	umask      string
}

// newLaptop makes one below the demo's folder. Its folders have blanks, quotes and letters that are not ASCII.
func newLaptop(t *testing.T, d *testDemo, name string) *laptop {
	t.Helper()
	dir := filepath.Join(d.dir, "laptops", `it's "`+name+`" für Jürgen`)
	l := &laptop{
		d: d, home: filepath.Join(dir, "home"), repo: filepath.Join(dir, "repo"), origin: filepath.Join(dir, "origin.git"),
		scratch: filepath.Join(dir, "work"), umask: "022",
	}
	var err error
	if l.quoted, err = syntax.Quote(l.repo, syntax.LangPOSIX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, dir := range []string{l.home, l.repo, l.scratch} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(l.repo, "mine.txt"), []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	clean := []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_DIR=" + filepath.Join(l.repo, ".git"), "GIT_WORK_TREE=" + l.repo}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"}, {"add", "mine.txt"}, {"-c", "user.name=Owner", "-c", "user.email=owner@example.org", "commit", "-q", "-m", "one"},
		{"init", "-q", "--bare", "-b", "main", l.origin}, {"remote", "add", "origin", l.origin}, {"push", "-q", "-u", "origin", "main"},
	} {
		env := clean
		if args[len(args)-1] == l.origin && args[0] == "init" {
			env = clean[:1]
		}
		if r := d.run(env, all.git, args...); r.code != 0 {
			t.Fatal(r)
		}
	}
	return l
}

// run runs a shell script in the user's repository. T is a folder for what it makes.
func (l *laptop) run(script string, env ...string) result {
	clean := environ.Environ(l.d.env()).Without("KUBECONFIG").Join([]string{"HOME=" + l.home, "T=" + l.scratch}).Join(l.vars).Join(env)
	script = "umask " + l.umask + "; cd " + l.quoted + " || exit 99\n" + script
	return l.d.runIn(clean, "/bin/sh", "-c", script)
}

// naive runs a script with the demo's cluster and repository, and without precautions.
func (l *laptop) naive(script, url, app, helper string) string {
	vars := []string{
		"PATH=" + filepath.Join(l.d.cluster(), "bin") + ":" + environ.Environ(l.d.env()).Get("PATH"),
		"FLEET_URL=" + url, "APP_URL=" + app, "HELPER=" + helper,
	}
	if environ.Environ(l.vars).Get("KUBECONFIG") == "" {
		vars = append(vars, "KUBECONFIG="+l.d.kubeconfig())
	}
	return strings.ReplaceAll(outcome(l.run(script, vars...)), l.scratch, "T")
}

// untouched fails if a file of the user's has changed since before.
func (l *laptop) untouched(t *testing.T, before map[string]string) {
	t.Helper()
	same(t, before, fingerprint(t, l.home, l.repo, l.origin))
}

// TestHostileAlone runs a walk, clone, env and status under each setting. The outcome is the same as without, no file
// of the user's has changed, and the setting is harmful where nothing is done about it.
func TestHostileAlone(t *testing.T) {
	d := sharedDemo(t)
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.work(), "probe.md"), []byte(probeWalk), 0o644); err != nil {
		t.Fatal(err)
	}
	walk := `fluxdemo walk "$TMPROBE/probe.md" --auto`
	probe := func(t *testing.T, l *laptop) map[string]string {
		t.Helper()
		before := fingerprint(t, l.home, l.repo, l.origin)
		got := map[string]string{}
		// The walk pushes, the others look: side by side they do not trouble each other. Whether the clone has what the walk
		// has pushed depends on who is faster.
		done := make(chan string, 1)
		go func() { done <- outcome(l.run(walk, "TMPROBE="+d.work())) }()
		clone := l.run(`fluxdemo clone "$T/clone" && ls "$T/clone" | grep -vx probe.txt`)
		if clone.code == 0 {
			for _, key := range []string{"core.hooksPath", "commit.gpgSign", "user.name"} {
				r := d.run([]string{"HOME=" + d.home()}, all.git, "-C", filepath.Join(l.scratch, "clone"), "config", "--local", key)
				got["clone"] += fmt.Sprintf("%s=%s", key, r.stdout)
			}
		}
		got["clone"] += outcome(clone)
		got["shell"] = outcome(l.run(probeShell))
		got["walk"] = <-done
		await(t, healTime, "status says that all is well", func() error { return l.run(`fluxdemo status -o json`).err() })
		l.untouched(t, before)
		return got
	}
	helper := `!f() { test "$1" = get && cat '` + filepath.Join(d.cluster(), "git-login") + `'; }; f`
	without := newLaptop(t, d, "nothing")
	want := probe(t, without)
	for what, text := range want {
		if !strings.HasPrefix(text, "0\n") && what != "clone" {
			t.Fatalf("%s does not work without any setting:\n%s", what, text)
		}
	}
	harmless := map[string]string{} // what comes of the naive scripts without a setting
	for i, s0 := range hostileSettings(t) {
		d.sub(t, s0.name, func(t *testing.T) {
			l := newLaptop(t, d, fmt.Sprint(i))
			l.vars = s0.install(t, l.home, l.repo)
			if s0.umask != "" {
				l.umask = s0.umask
			}
			if s0.naive != "" {
				if _, known := harmless[s0.naive]; !known {
					harmless[s0.naive] = without.naive(s0.naive, s.URLs.Git, s.URLs.App, helper)
				}
				victim := newLaptop(t, d, fmt.Sprintf("%d-naive", i))
				victim.vars, victim.umask = s0.install(t, victim.home, victim.repo), l.umask
				if got := victim.naive(s0.naive, s.URLs.Git, s.URLs.App, helper); got == harmless[s0.naive] {
					t.Errorf("the setting does no harm where nothing is done about it: %s", got)
				}
			}
			for what, got := range probe(t, l) {
				if got != want[what] && (what != "shell" || !s0.noShell) {
					t.Errorf("%s: not as it is without the setting:\n%s", what, differ(want[what], got))
				}
			}
		})
	}
}

// TestHostileTogether runs every verb and every walk under all settings at once that can be combined.
func TestHostileTogether(t *testing.T) {
	d := ownDemo(t, in(`it's "hostile" für Jürgen`))
	l := newLaptop(t, d, "all")
	for _, s := range hostileSettings(t) {
		if !s.single {
			l.vars = environ.Environ(l.vars).Join(s.install(t, l.home, l.repo))
		}
	}
	l.umask = "000"
	if err := os.WriteFile(filepath.Join(l.scratch, "probe.md"), []byte(probeWalk), 0o644); err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, l.home, l.repo, l.origin)
	must := func(t *testing.T, script string) result {
		t.Helper()
		r := l.run(script)
		if r.code != 0 {
			t.Fatal(r)
		}
		return r
	}
	d.sub(t, "up", func(t *testing.T) {
		must(t, "fluxdemo up --cluster=embedded")
		must(t, "fluxdemo up")
		checkModes(t, d)
		processes := processesIn(d.cluster())
		if len(processes) < 10 {
			t.Errorf("found only %v", processes)
		}
		for _, p := range processes {
			raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, pair := range strings.Split(string(raw), "\x00") {
				// Pods have a proxy, the cluster's; the rest of what is hostile reaches none of them.
				if strings.Contains(pair, hostileToken) || slices.Contains(l.vars, pair) && !allowed(pair) {
					t.Errorf("%v has %s", p, pair)
				}
			}
		}
	})
	await(t, healTime, "all is well", func() error { return l.run("fluxdemo status").err() })
	for _, name := range builtin.Names() {
		d.sub(t, "walk "+name, func(t *testing.T) { must(t, "fluxdemo walk "+name+" --auto") })
	}
	d.sub(t, "own shell", func(t *testing.T) { must(t, probeShell) })
	d.sub(t, "other verbs", func(t *testing.T) {
		must(t, `fluxdemo clone "$T/clone"; cat "$T/clone/apps/demo/app/app.env"`)
		must(t, `cd "$T"; printf 'graph TD\n  A-->B\n' > plan.mmd; fluxdemo diagram run plan.mmd && fluxdemo diagram clean`)
		must(t, `fluxdemo shard add shard1 && fluxdemo shard list && fluxdemo shard remove shard1`)
		must(t, `printf 'q\n' | fluxdemo walk "$T/probe.md" --learn; fluxdemo hint && fluxdemo solve && fluxdemo check --wait`)
		must(t, `fluxdemo logs | grep -q etcd && fluxdemo logs supervisor`)
		must(t, `cd "$T"; printf '# One\n\n: author\n\n  Me\n\n# Two\n\nText.\n' > deck.md; fluxdemo deck lint deck.md && fluxdemo deck export deck.md --format=html --out=pages`)
		must(t, `timeout 3 fluxdemo present "$T/deck.md"; test $? = 124`)
		must(t, `cd "$T"; fluxdemo bench sharding --sizes=4 --shards=0 --heavy=25 --probes=1 --report=report`)
		must(t, `fluxdemo doctor; fluxdemo version`)
		must(t, `fluxdemo reset`)
	})
	d.sub(t, "down and up", func(t *testing.T) {
		must(t, "fluxdemo down --keep-data")
		must(t, "fluxdemo up")
		await(t, healTime, "all is well", func() error { return l.run("fluxdemo status").err() })
		must(t, "fluxdemo down")
		must(t, "fluxdemo up --cluster=embedded")
		must(t, "fluxdemo down")
	})
	l.untouched(t, before)
}

// allowed are the settings that children have like everybody else: what they show, not what they do.
func allowed(pair string) bool {
	return len(environ.Base([]string{pair}).Without("PATH")) > 0
}
