package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
)

// otherWays are steps done as their walks do not say, by walk and step: with other commands, and with other commits.
func otherWays() map[string]string {
	return map[string]string{
		"gitops/change-the-colour-and-push": `printf 'COLOR=tomato\nVERSION=1.0.0\nMESSAGE=Hello from Git\n' > apps/demo/app/app.env
			git add -A; git commit -q -m "Mine"; git push -q origin HEAD:main`,
		"gitops/change-your-mind": `sed -i s/tomato/steelblue/ apps/demo/app/app.env; git commit -q -a -m "As it was"; git push -q`,
		"gitops/push-a-mistake":   `sed -i 's/replicas: .*/replicas: many/' apps/base/app/deployment.yaml; git commit -q -a -m Oops; git push -q`,
		// A revert of the last commit is no way after another wrong one.
		"gitops/take-the-mistake-back": `sed -i 's/replicas: .*/replicas: 1/' apps/base/app/deployment.yaml; git commit -q -a -m Right; git push -q`,
		"drift/scale-by-hand":          `kubectl -n app patch deployment app --type=merge -p '{"spec":{"replicas":3}}'`,
		"drift/reconcile-on-request": `kubectl -n flux-system annotate kustomization apps --overwrite \
			reconcile.fluxcd.io/requestedAt="$(date +%s%N)"`,
		"principles/2-versioned": `sed -i 's/^MESSAGE=.*/MESSAGE="Hello stage"/' apps/demo/app/app.env
			sed -i 's/"//g' apps/demo/app/app.env; git commit -q -a -m Greet; git push -q`,
		"how-flux-does-it/resume-the-kustomization": `kubectl -n flux-system patch kustomization greetings --type=merge -p '{"spec":{"suspend":null}}'`,
	}
}

// answers are how long `fluxdemo check` took to say what is not done yet.
type answers struct {
	mu  sync.Mutex
	all []time.Duration
}

func (a *answers) add(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, d)
}

// learner is a person who does a walk in a shell, with a clone that the walk knows nothing of.
type learner struct {
	d     *testDemo
	walk  *walk.Walk
	clone string
}

// keys types keys into the walk, which ends then.
func (l *learner) keys(t *testing.T, keys string) string {
	t.Helper()
	r := l.d.run(nil, "/bin/sh", "-c", fmt.Sprintf("printf '%s' | fluxdemo walk %s --learn", keys, l.walk.Name))
	if r.code != 0 || strings.Contains(r.stdout, "✗") {
		t.Fatal(r)
	}
	return r.stdout
}

// does runs commands in the learner's clone, which is at the head of the fleet.
func (l *learner) does(t *testing.T, script string) result {
	t.Helper()
	return l.d.run(nil, "/bin/bash", "-c", `eval "$(fluxdemo env)" && cd `+l.clone+` && git fetch -q && git checkout -q -f -B main origin/main && set -e
`+script)
}

// must is as does, for what has to work.
func (l *learner) must(t *testing.T, script string) {
	t.Helper()
	if r := l.does(t, script); r.code != 0 {
		t.Fatal(r)
	}
}

// solution is what the learner types for step i.
func (l *learner) solution(i int) string {
	step := &l.walk.Steps[i]
	if other := otherWays()[l.walk.Name+"/"+step.ID]; other != "" {
		return other
	}
	var lines []string
	for _, b := range step.With(walk.Change, walk.Look) {
		if i == l.walk.CloneStep() && b.Role == walk.Look {
			continue // the learner has a clone
		}
		lines = append(lines, strings.TrimSpace(b.Text))
	}
	return strings.Join(lines, "\n")
}

// learntWalks are the walks whose contract is tested. In the others Flux itself is busy for minutes, again in each step:
// they are tested by `make test-learn`. $FLUXDEMO_TEST_LEARN names others, or "all".
func learntWalks() []string {
	switch names := os.Getenv("FLUXDEMO_TEST_LEARN"); names {
	case "":
		return []string{"drift", "gitops", "principles"}
	case "all":
		return builtin.Names()
	default:
		return strings.Fields(names)
	}
}

// TestLearn is the contract of learning, for each step of each walk: its checks fail before it is done; it can be
// solved, whatever clone the learner has; it can be reset after it was solved, done wrong, done twice, and after a push
// by force; and it passes however it is done.
func TestLearn(t *testing.T) {
	t.Parallel()
	var said answers
	t.Cleanup(func() {
		slices.Sort(said.all)
		if n := len(said.all); n > 0 {
			t.Logf("fluxdemo check: %d answers, p50 %s, p99 %s, slowest %s", n, said.all[n/2], said.all[n*99/100], said.all[n-1])
		}
	})
	for _, name := range learntWalks() {
		chain, err := builtin.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			d := sharedDemo(t)
			l := &learner{d: d, walk: chain.Walk, clone: filepath.Join(d.work(), "learner-"+name)}
			if err := os.RemoveAll(l.clone); err != nil {
				t.Fatal(err)
			}
			d.must(t, "clone", l.clone)
			l.keys(t, `q\n`)
			for i := range chain.Walk.Steps {
				l.step(t, i, &said)
				if t.Failed() {
					t.Fatalf("that was step %d, %s", i+1, chain.Walk.Steps[i].Title)
				}
			}
			l.keys(t, `\n`) // cleans up
			await(t, healTime, "all is well", d.healthy)
		})
	}
}

// step goes through all that the contract says of step i, and leaves it done.
func (l *learner) step(t *testing.T, i int, said *answers) {
	t.Helper()
	step := &l.walk.Steps[i]
	if len(step.With(walk.Change)) == 0 {
		l.keys(t, `\nq\n`)
		return
	}
	before, tried := look(t, l.d)
	asIt := func(what, keys string) {
		t.Helper()
		out := l.keys(t, keys)
		after, attempted := look(t, l.d)
		same(t, before, after)
		for name, revision := range attempted {
			// What was behind the fleet may have caught up: Flux does not wait for a walk.
			if revision != tried[name] && revision != "main@sha1:"+before["main"] {
				t.Errorf("the Kustomization %s is at %s, was at %s, and the fleet at %s", name, revision, tried[name], before["main"])
			}
		}
		if t.Failed() {
			t.Fatalf("after the reset of what was %s:\n%s", what, out)
		}
	}
	begun := time.Now()
	r := l.d.fluxdemo("check")
	said.add(time.Since(begun))
	// What holds before has no ✓: the learner has nothing done for it. On a busy machine a check may not be known.
	open := strings.Contains(r.stdout, "✗ not yet: ") || strings.Contains(r.stdout, "? not known: ")
	if r.code != exitFailure || !open || strings.Contains(r.stdout, "✓") {
		t.Fatalf("before it was done: %v", r)
	}
	if out := l.d.must(t, "solve"); strings.Contains(out, "✗") {
		t.Fatal(out)
	}
	asIt("solved", `b\nq\n`)

	// All that can go wrong at once: what is done wrong in one way only is part of it, and each reset costs half a minute.
	l.must(t, `echo nonsense >> README.md; git commit -q -a -m "Not what was asked"; git push -q`)
	l.must(t, l.solution(i))
	l.does(t, l.solution(i)) // may well fail
	// One commit back, or, at the first one, to another first one.
	l.must(t, `git rev-parse -q --verify HEAD~1 >/dev/null || git commit -q --amend --allow-empty -m "Another beginning"
		git push -q --force origin "$(git rev-parse -q --verify HEAD~1 || git rev-parse HEAD):refs/heads/main"`)
	asIt("done wrong, done twice, and forced back", `r\nq\n`)

	l.must(t, l.solution(i))
	if out := l.d.must(t, "check", "--wait"); !strings.Contains(out, "✓") || strings.Contains(out, "✗") {
		t.Fatal(out)
	}
}
