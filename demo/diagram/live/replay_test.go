package live

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// replay puts a recording into a model, as a Watcher would have, and returns by mark what it tells: a line for each
// pulse, and the statuses, one after another, of each target. What precedes the first mark is under "".
// arrange, if it is not nil, changes the order of the recording first.
func replay(t *testing.T, name string, arrange func([]recorded) []recorded) (pulses map[string][]string, states map[string]map[binding.Target][]Status) {
	t.Helper()
	recording := readRecording(t, name)
	if arrange != nil {
		recording = arrange(recording)
	}
	m := newModel(newHub())
	m.hears, m.hookPath = true, recordedHook
	// A reader of the hub that is never slow, and takes what there is at once.
	sub := &subscriber{wake: make(chan struct{}, 1)}
	m.hub.subs[sub] = true
	mark := ""
	pulses, states = map[string][]string{}, map[string]map[binding.Target][]Status{mark: {}}
	take := func() {
		for {
			e, ok := m.hub.next(sub)
			if !ok {
				return
			}
			if p := e.Pulse; p != nil {
				if p.Evidence == "" {
					t.Errorf("%s: %s -> %s has no evidence", p.What, p.From, p.To)
				}
				pulses[mark] = append(pulses[mark], fmt.Sprintf("%s: %s -> %s", p.What, p.From, p.To))
			}
			if s := e.State; s != nil {
				if all := states[mark][s.Target]; len(all) == 0 || all[len(all)-1] != s.Status {
					states[mark][s.Target] = append(all, s.Status)
				}
			}
		}
	}
	versions := map[binding.Target]*unstructured.Unstructured{}
	watching := false
	for _, r := range recording {
		if !watching && !r.Initial {
			watching = true
			m.health(State{Status: Ready, Message: "the API answers"}, r.Seen)
		}
		for at, ok := m.nextMoment(); ok && at.Before(r.Seen); at, ok = m.nextMoment() { // as think does
			m.release(func(q request) bool { return !at.Before(q.until) })
			m.roles(at)
		}
		take()
		switch {
		case r.Mark != "":
			mark = r.Mark
			states[mark] = map[binding.Target][]Status{}
		case r.Git != nil:
			m.fromGit(*r.Git, r.Seen, false, r.Seen)
		case r.Inbox != nil:
			m.fromInbox(*r.Inbox, false, r.Seen)
		default:
			o := r.Object
			target := binding.Target(o.GetKind() + "/" + o.GetNamespace() + "/" + o.GetName())
			before := versions[target]
			versions[target] = o
			watched := o.GetKind() != "ConfigMap"
			switch {
			case r.Deleted:
				delete(versions, target)
				if watched {
					m.gone(targetOf(o), r.Seen)
				}
			case watched:
				m.known(o, r.Initial, r.Seen)
				fallthrough
			default:
				if r.Initial {
					break
				}
				if before == nil {
					m.managed(o.GetKind(), nil, o, r.Seen)
				} else {
					m.managed(o.GetKind(), before, o, r.Seen)
				}
			}
		}
		take()
	}
	return pulses, states
}

func readRecording(t *testing.T, name string) (recording []recorded) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		recording = append(recording, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return recording
}

// TestReplayLate: watches have no order among them. Where those of the managed objects are behind that of their
// Kustomization, an ordinary apply is still no drift.
func TestReplayLate(t *testing.T) {
	late := func(recording []recorded) (all []recorded) {
		var held []recorded
		release := func() {
			for _, r := range held {
				r.Seen = all[len(all)-1].Seen
				all = append(all, r)
			}
			held = nil
		}
		for _, r := range recording {
			switch {
			case r.Mark != "":
				release()
				all = append(all, r)
			case !r.Initial && r.Object != nil && (r.Object.GetKind() == "Deployment" || r.Object.GetKind() == "ConfigMap"):
				held = append(held, r)
			default:
				all = append(all, r)
			}
		}
		release()
		return all
	}
	want, _ := replay(t, "gitops.jsonl", nil)
	got, _ := replay(t, "gitops.jsonl", late)
	for _, mark := range []string{"push", "drift", "suspend", "resume"} {
		if got, want := slices.Sorted(slices.Values(got[mark])), slices.Sorted(slices.Values(want[mark])); !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nin the order of the recording:\n%s", mark, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestReplay: a recording of real controllers gives the same states and pulses each time. The recording's marks are
// what was done: a push that scales the app, a change of the app by hand and a reconciliation that corrects it, a
// push while the app's Kustomization is suspended, and its resumption.
func TestReplay(t *testing.T) {
	const (
		repo = "GitRepository/flux-system/flux-system"
		hook = "Receiver/flux-system/flux-system"
		flux = "Kustomization/flux-system/flux-system"
		apps = "Kustomization/flux-system/apps"
		app  = "Deployment/app/app"
	)
	pushed := []string{
		"push: user -> git", "webhook: git -> webhook", "webhook: webhook -> " + hook, "trigger: " + hook + " -> " + repo,
		"fetch: git -> " + repo, "notify: " + repo + " -> inbox",
		"artifact: " + repo + " -> " + flux, "apply: " + flux + " -> kubernetes", "notify: " + flux + " -> inbox",
	}
	applied := []string{
		"artifact: " + repo + " -> " + apps, "apply: " + apps + " -> kubernetes", "notify: " + apps + " -> inbox", "notify: " + apps + " -> inbox",
	}
	busy := []Status{Working, Ready}
	pulses, states := replay(t, "gitops.jsonl", nil)
	for _, test := range []struct {
		mark   string
		pulses []string
		states map[binding.Target][]Status // none: it stays as it is
	}{
		{"", nil, map[binding.Target][]Status{
			repo: {Ready}, flux: {Ready}, apps: {Ready}, app: {Ready}, "registry": {Missing}, "kubernetes": {Missing, Ready},
			"user": {Idle}, "webhook": {Idle}, "flux": {Missing, Ready},
		}},
		{"push", append(slices.Clone(pushed), applied...), map[binding.Target][]Status{
			repo: busy, flux: busy, apps: busy, app: {Working, Failed, Ready}, "user": {Working, Idle}, "webhook": busy,
			"kubernetes": busy, "inbox": busy,
		}},
		{"drift", []string{
			"change: user -> kubernetes", "trigger: user -> " + apps, "artifact: " + repo + " -> " + apps,
			"drift: " + apps + " -> kubernetes", "notify: " + apps + " -> inbox",
		}, map[binding.Target][]Status{
			repo: nil, flux: nil, apps: busy, "user": nil, "webhook": nil, "flux": busy, "inbox": busy,
		}},
		{"suspend", pushed, map[binding.Target][]Status{
			repo: busy, flux: busy, apps: {Suspended}, app: nil, "user": {Working, Idle}, "webhook": busy,
		}},
		{"resume", applied, map[binding.Target][]Status{
			repo: nil, flux: nil, apps: busy, app: busy, "webhook": nil, "kubernetes": busy, "flux": busy,
		}},
	} {
		t.Run(test.mark, func(t *testing.T) {
			got, want := slices.Sorted(slices.Values(pulses[test.mark])), slices.Sorted(slices.Values(test.pulses))
			if !slices.Equal(got, want) { // controllers work side by side, so their order is the recording's own
				t.Errorf("pulses:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for target, want := range test.states {
				if got := states[test.mark][target]; !slices.Equal(got, want) {
					t.Errorf("%s is %v, one after another; want %v", target, got, want)
				}
			}
		})
	}
}
