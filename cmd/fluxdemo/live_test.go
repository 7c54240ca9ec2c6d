package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/object"
	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// The objects that these tests are about.
const (
	liveSource   = binding.Target("GitRepository/flux-system/flux-system")
	liveReceiver = binding.Target("Receiver/flux-system/flux-system")
	liveApps     = binding.Target("Kustomization/flux-system/apps")
	liveApp      = "Deployment/app/app"
)

// recolour pushes another colour of the app and returns the revision.
func recolour(t *testing.T, d *testDemo, clone, colour string) string {
	t.Helper()
	file := filepath.Join(clone, "apps", "demo", "app", "app.env")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	for i := range lines {
		if strings.HasPrefix(lines[i], "COLOR=") {
			lines[i] = "COLOR=" + colour
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return pushAll(t, d, clone, "Make it "+colour)
}

// pushAll commits and pushes what is in a clone, and returns Flux's name for the commit.
func pushAll(t *testing.T, d *testDemo, clone, message string) (revision string) {
	t.Helper()
	d.git(t, clone, "add", "-A")
	d.git(t, clone, "commit", "-q", "--allow-empty", "-m", message)
	d.git(t, clone, "push", "-q")
	return "main@sha1:" + d.git(t, clone, "rev-parse", "HEAD")
}

// liveClone clones the fleet, and brings it back to how it was at the end.
func liveClone(t *testing.T, d *testDemo) string {
	t.Helper()
	clone := filepath.Join(d.work(), strings.ToLower(t.Name()))
	d.must(t, "clone", clone)
	before := d.git(t, clone, "rev-parse", "HEAD")
	t.Cleanup(func() {
		if d.git(t, clone, "rev-parse", "HEAD") != before {
			d.git(t, clone, "read-tree", "-u", "--reset", before)
			d.git(t, clone, "commit", "-q", "--allow-empty", "-m", "As before")
			d.git(t, clone, "push", "-q")
			await(t, healTime, "all is well", d.healthy)
		}
		if err := os.RemoveAll(clone); err != nil {
			t.Error(err)
		}
	})
	return clone
}

// ask has Flux look at the app now.
func ask(t *testing.T, d *testDemo) {
	t.Helper()
	d.kubectl(t, "-n", "flux-system", "annotate", "--overwrite", "kustomization", "apps",
		"reconcile.fluxcd.io/requestedAt="+time.Now().Format(time.RFC3339Nano))
}

func TestLive(t *testing.T) {
	d := quietDemo(t)
	await(t, healTime, "all is well", d.healthy)
	clone := liveClone(t, d)
	w := watchLive(t, d)

	d.sub(t, "a push", func(t *testing.T) {
		mark := w.mark()
		revision := recolour(t, d, clone, "tomato")
		events := w.settled(mark, revision)
		checkPush(t, d, w, events, revision)
		for target, want := range map[binding.Target][]live.Status{
			liveSource: {live.Working, live.Ready}, liveApps: {live.Working, live.Ready},
		} {
			if got := statuses(events, target); !slices.Equal(got, want) {
				t.Errorf("%s was %v, want %v", target, got, want)
			}
		}
		if s := w.state(liveApps, "ready", is(live.Ready)); s.Revision != revision || s.Message != "Applied revision: "+revision {
			t.Errorf("the app: %+v", s)
		}
		w.state(binding.Kubernetes, "ready, the app being rolled out", is(live.Ready))
		if got := statuses(w.since(mark), binding.Kubernetes); len(got) < 2 || got[0] != live.Working {
			t.Errorf("Kubernetes was %v", got)
		}
		// Whoever has pushed, and the inbox, rest after a moment.
		w.state(binding.User, "idle", is(live.Idle))
		w.state(binding.Inbox, "ready", is(live.Ready))
		if got := statuses(w.since(mark), binding.User); !slices.Equal(got, []live.Status{live.Working, live.Idle}) {
			t.Errorf("the user was %v", got)
		}
		if s := w.state(binding.Hook, "ready", is(live.Ready)); s.Revision != revision {
			t.Errorf("the webhook: %+v", s)
		}
	})

	d.sub(t, "drift", func(t *testing.T) {
		checkDrift(t, d, w)
	})

	d.sub(t, "suspended", func(t *testing.T) {
		d.kubectl(t, "-n", "flux-system", "patch", "kustomization", "apps", "--type=merge", `-p={"spec":{"suspend":true}}`)
		w.state(liveApps, "suspended", is(live.Suspended))
		mark := w.mark()
		revision := recolour(t, d, clone, "gold")
		w.until(mark, "the source has it", func(events []live.Event) bool {
			return len(pulses(events, func(p binding.Pulse) bool { return p.What == binding.Fetch && p.Revision == revision })) == 1
		})
		if s := w.watcher.State(liveApps); s.Status != live.Suspended {
			t.Errorf("after a push it is %+v", s)
		}
		d.kubectl(t, "-n", "flux-system", "patch", "kustomization", "apps", "--type=merge", `-p={"spec":{"suspend":null}}`)
		w.state(liveApps, "at "+revision, func(s live.State) bool { return s.Status == live.Ready && s.Revision == revision })
		if got := pulses(w.since(mark), func(p binding.Pulse) bool { return p.From == liveApps && p.What == binding.Apply }); len(got) != 1 {
			t.Errorf("applied: %v", got)
		}
	})

	d.sub(t, "a bad push", func(t *testing.T) {
		file := filepath.Join(clone, "apps", "demo", "app", "kustomization.yaml")
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(slices.Clone(good), "resources: [\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
		mark := w.mark()
		revision := pushAll(t, d, clone, "Break it")
		s := w.state(liveApps, "failed", is(live.Failed))
		says := d.kubectl(t, "-n", "flux-system", "get", "kustomization", "apps", `-o=jsonpath={.status.conditions[?(@.type=="Ready")].message}`)
		if !strings.HasPrefix(s.Message, "apps/demo/app: invalid Kustomization: yaml: line ") || s.Message != object.Brief(says) {
			t.Errorf("it says %q, its condition %q", s.Message, says)
		}
		if f := w.state(binding.Flux, "failed", is(live.Failed)); !strings.HasPrefix(f.Message, "Kustomization apps: ") {
			t.Errorf("Flux: %+v", f)
		}
		if got := pulses(w.since(mark), func(p binding.Pulse) bool {
			return p.From == liveApps && (p.What == binding.Apply || p.What == binding.Drift)
		}); len(got) != 0 {
			t.Errorf("applied: %v", got)
		}
		w.until(mark, "the inbox is told", func(events []live.Event) bool {
			return len(pulses(events, func(p binding.Pulse) bool {
				return p.What == binding.Notify && p.From == liveApps && p.Revision == revision && strings.Contains(p.Evidence, "BuildFailed")
			})) > 0
		})
		if err := os.WriteFile(file, good, 0o644); err != nil {
			t.Fatal(err)
		}
		mark = w.mark()
		w.settled(mark, pushAll(t, d, clone, "Mend it"))
		w.state(liveApps, "ready", is(live.Ready))
		w.state(binding.Flux, "ready", is(live.Ready))
	})

	d.sub(t, "details", func(t *testing.T) { checkDetails(t, d, w) })

	for _, victim := range []string{"kube-apiserver", "git", "inbox"} {
		d.sub(t, victim+" killed", func(t *testing.T) {
			mark := w.mark()
			target := map[string]binding.Target{"kube-apiserver": binding.Kubernetes, "git": binding.Git, "inbox": binding.Inbox}[victim]
			began := time.Now()
			seen := func(events []live.Event) bool {
				return slices.ContainsFunc(statuses(events, target), func(s live.Status) bool { return s == live.Failed })
			}
			killed := d.kill(t, victim)
			if victim != "kube-apiserver" {
				// The first restart is immediate, and may be over before a probe has failed; the next one is not.
				await(t, healTime, "it is seen, or back", func() error {
					if seen(w.since(mark)) {
						return nil
					}
					now, err := d.findPID(victim)
					if err == nil && now == killed {
						err = fmt.Errorf("%s is still process %d", victim, now)
					}
					return err
				})
				if !seen(w.since(mark)) {
					d.kill(t, victim)
				}
			}
			w.until(mark, "it is seen", seen)
			t.Logf("seen after %s", time.Since(began).Round(time.Millisecond))
			w.state(target, "ready", is(live.Ready))
			t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
			await(t, healTime, "all is well", d.healthy)
			mark = w.mark()
			revision := recolour(t, d, clone, map[string]string{"kube-apiserver": "navy", "git": "teal", "inbox": "olive"}[victim])
			checkPush(t, d, w, w.settled(mark, revision), revision)
		})
	}

	d.sub(t, "push after push", func(t *testing.T) {
		for i := range 10 {
			mark := w.mark()
			revision := recolour(t, d, clone, fmt.Sprintf("#%06x", i))
			checkPush(t, d, w, w.settled(mark, revision), revision)
		}
		w.mu.Lock()
		delays := slices.Clone(w.delays)
		w.mu.Unlock()
		slices.Sort(delays)
		p50, p99 := delays[len(delays)/2], delays[len(delays)*99/100]
		t.Logf("from the watch to the reader, %d events: p50 %s, p99 %s, max %s", len(delays), p50, p99, delays[len(delays)-1])
	})
}

// checkPush compares the pulses of a revision with what the objects, the Git host and the inbox say of it themselves.
func checkPush(t *testing.T, d *testDemo, w *watching, events []live.Event, revision string) {
	t.Helper()
	got := pulses(events, func(p binding.Pulse) bool { return p.Revision == revision })
	// The way of the app, in order.
	way := []string{
		"push user>git", "webhook git>webhook", "webhook webhook>" + string(liveReceiver), "trigger " + string(liveReceiver) + ">" + string(liveSource),
		"fetch git>" + string(liveSource), "artifact " + string(liveSource) + ">" + string(liveApps), "apply " + string(liveApps) + ">kubernetes",
		"notify " + string(liveApps) + ">inbox",
	}
	var seen []string
	count := map[string]int{}
	for _, p := range got {
		short := fmt.Sprintf("%s %s>%s", p.What, p.From, p.To)
		count[p.What]++
		if i := len(seen); i < len(way) && short == way[i] {
			seen = append(seen, short)
		}
	}
	if len(seen) != len(way) {
		t.Errorf("the way ends before %q:\n%s", way[len(seen)], list(events))
	}
	// What the others say: how often each has truly happened.
	kustomizations := strings.Fields(d.kubectl(t, "-n", "flux-system", "get", "kustomizations",
		`-o=jsonpath={range .items[?(@.status.lastAppliedRevision=="`+revision+`")]}{.metadata.name}{"\n"}{end}`))
	notices := w.notices(revision)
	want := map[string]int{
		binding.Push: 1, binding.Webhook: 2, binding.Trigger: 1, binding.Fetch: 1,
		binding.Artifact: len(kustomizations), binding.Apply: len(kustomizations), binding.Notify: len(notices),
	}
	if len(kustomizations) != w.kustomizations() || fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("pulses: %v, want %v of %v\n%s", count, want, kustomizations, list(events))
	}
	if stored := d.kubectl(t, "-n", "flux-system", "get", "gitrepository", "flux-system", "-o=jsonpath={.status.artifact.revision}"); stored != revision {
		t.Errorf("the source has %s", stored)
	}
	raw, err := fetch(w.urls.git + "/deliveries")
	if err != nil {
		t.Fatal(err)
	}
	var sent struct{ Deliveries []event.Git }
	if err := json.Unmarshal([]byte(raw), &sent); err != nil {
		t.Fatal(err)
	}
	if last := sent.Deliveries[len(sent.Deliveries)-1]; "main@sha1:"+last.Commit != revision || last.State != event.Delivered {
		t.Errorf("the Git host has delivered %+v", last)
	}
	// The notifications, which are Flux's own events, in their order.
	var said, told []string
	for _, n := range notices {
		o := n.InvolvedObject
		said = append(said, fmt.Sprintf("%s/%s/%s %s", o.Kind, o.Namespace, o.Name, n.Reason))
	}
	for _, p := range got {
		if p.What == binding.Notify {
			told = append(told, fmt.Sprintf("%s %s", p.From, strings.TrimPrefix(p.Evidence, "the inbox: ")))
		}
	}
	if !slices.Equal(said, told) {
		t.Errorf("the inbox has %v, the pulses are %v", said, told)
	}
}

// checkDrift changes by hand what Flux has applied, and has Flux put it back.
func checkDrift(t *testing.T, d *testDemo, w *watching) {
	isDone := func(events []live.Event) bool {
		return slices.Equal(tail(statuses(events, liveApps), 2), []live.Status{live.Working, live.Ready})
	}
	only := func(events []live.Event) map[string][]string {
		all := map[string][]string{}
		for _, p := range pulses(events, func(p binding.Pulse) bool { return p.What != binding.Notify }) {
			all[p.What] = append(all[p.What], fmt.Sprintf("%s>%s %s", p.From, p.To, p.Object))
		}
		return all
	}
	for _, tt := range []struct {
		name, object string
		hand         []string
		change       bool // seen: of what is deleted nothing is left to tell who has done it
	}{
		{"scaled", liveApp, []string{"scale", "deployment", "app", "--replicas=2"}, true},
		{"deleted", "Service/app/app", []string{"delete", "service", "app"}, false},
		{"nothing", "", nil, false},
	} {
		d.sub(t, tt.name, func(t *testing.T) {
			mark := w.mark()
			want := map[string][]string{
				binding.Trigger:  {"user>" + string(liveApps) + " "},
				binding.Artifact: {string(liveSource) + ">" + string(liveApps) + " "},
			}
			if tt.hand != nil {
				d.kubectl(t, append([]string{"-n", "app"}, tt.hand...)...)
				want[binding.Drift] = []string{string(liveApps) + ">kubernetes " + tt.object}
			}
			if tt.change {
				want[binding.Change] = []string{"user>kubernetes " + tt.object}
			}
			ask(t, d)
			w.until(mark, "Flux has looked", func(events []live.Event) bool {
				return isDone(events) && len(only(events)) == len(want)
			})
			// A later reconciliation is a fence: what belongs to this one is here before it ends.
			fence := w.mark()
			events := w.since(mark)[:fence-mark]
			if got := only(events); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v\nwant %v\n%s", got, want, list(events))
			}
		})
	}
	if replicas := d.kubectl(t, "-n", "app", "get", "deployment", "app", "-o=jsonpath={.spec.replicas}"); replicas != "1" {
		t.Errorf("the app has %s replicas", replicas)
	}
	d.kubectl(t, "-n", "app", "get", "service", "app")
}

func tail[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }

// checkDetails looks into the panels of everything that is known, and for secrets in them.
func checkDetails(t *testing.T, d *testDemo, w *watching) {
	ctx, cancel := context.WithTimeout(t.Context(), healTime)
	defer cancel()
	apps, err := w.watcher.Detail(ctx, liveApps)
	if err != nil {
		t.Fatal(err)
	}
	if apps.State.Status != live.Ready || !strings.Contains(apps.YAML, "path: ./apps/demo") || strings.Contains(apps.YAML, "managedFields") ||
		len(apps.Conditions) == 0 || apps.Conditions[0].Type == "" || apps.Controller != "flux-system/kustomize-controller" ||
		len(apps.Log) == 0 || !strings.Contains(strings.Join(apps.Log, ""), `"name":"apps"`) || apps.Problem != "" {
		t.Errorf("the app: %+v", apps)
	}
	flux, err := w.watcher.Detail(ctx, binding.Flux)
	if err != nil || len(flux.Parts) < 8 {
		t.Errorf("Flux: %v, %+v", err, flux)
	}
	if gone, err := w.watcher.Detail(ctx, "Kustomization/flux-system/nope"); err != nil || gone.State.Status != live.Missing {
		t.Errorf("what is not there: %v, %+v", err, gone)
	}
	if _, err := w.watcher.Detail(ctx, "Secret/fluxdemo/git"); err == nil {
		t.Error("a Secret has a panel")
	}
	var secrets []string
	for _, s := range [][]string{{"password"}, {"webhook-token"}} {
		secrets = append(secrets, d.kubectl(t, "-n", "fluxdemo", "get", "secret", "git", "-o", fmt.Sprintf("go-template={{index .data %q|base64decode}}", s[0])))
	}
	states, _ := w.watcher.Subscribe(ctx)
	if len(states) < 15 {
		t.Errorf("only %d targets are known", len(states))
	}
	for _, s := range states {
		detail, err := w.watcher.Detail(ctx, s.Target)
		if err != nil {
			t.Errorf("%s: %v", s.Target, err)
		}
		raw, err := json.Marshal(detail)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(raw), secret) {
				t.Errorf("the panel of %s has a secret", s.Target)
			}
		}
	}
}
