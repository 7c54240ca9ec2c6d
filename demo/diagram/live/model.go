package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

// model is what is known of the cluster, and what follows from what happens next. One goroutine uses it.
type model struct {
	hub     *hub
	objects map[binding.Target]*unstructured.Unstructured
	runs    map[binding.Target]*run   // of Kustomizations
	fetched map[binding.Target]string // revisions that sources have fetched and not stored yet

	// hookPath is the path of the Receiver that the Git host notifies.
	hookPath string
	// push is the last push whose webhook has not arrived yet, as far as is known.
	push *pushed
	// hears is whether the Git host's events are followed, and held what Receivers have asked for because of a push
	// that the Git host has not reported yet.
	hears   bool
	held    []request
	moments map[binding.Target]moment
	api     State
	git     State // of the last webhook
}

// run is where a Kustomization is in its reconciliations.
type run struct {
	builds  int    // artifacts that it has fetched, so far
	fetched string // revision of the last one
	applied string // revision and generation of the last Apply pulse
	// applies is whether the last Apply has not ended yet, and until is when the one before it ended.
	applies bool
	until   time.Time
	put     map[string]int
}

// pushed is a push on its way to the Receiver.
type pushed struct {
	revision, ref string
	at            time.Time
	arrived       bool
	asked         map[binding.Target]bool // objects that a Receiver has asked because of it
}

// request is a Receiver's request that an object reconciles.
type request struct {
	object binding.Target
	seen   time.Time
	until  time.Time
}

// hold is for how long a Receiver's request waits for the Git host's word on the push behind it. Both come by streams of
// their own, which are a few milliseconds apart.
const hold = 500 * time.Millisecond

// moment is a state of a role that passes by itself.
type moment struct {
	state State
	until time.Time
}

// momentary is how long the user counts as working after a push, and the inbox after a notification.
const momentary = 2 * time.Second

func newModel(h *hub) *model {
	return &model{
		hub: h, objects: map[binding.Target]*unstructured.Unstructured{}, runs: map[binding.Target]*run{}, fetched: map[binding.Target]string{}, moments: map[binding.Target]moment{},
		api: State{Target: binding.Kubernetes, Status: Missing, Message: "the API server has not answered yet"},
		git: State{Target: binding.Hook, Status: Idle},
	}
}

// known takes an object of Flux, or a Deployment, that is there or has changed. At the beginning of a watch, initial
// is set: what happened before gives no pulse.
func (m *model) known(o *unstructured.Unstructured, initial bool, seen time.Time) {
	t := targetOf(o)
	old := m.objects[t]
	m.objects[t] = o
	if o.GetKind() == "Kustomization" && m.runs[t] == nil {
		m.runs[t] = &run{put: map[string]int{}}
		if initial {
			m.runs[t].applied = runKey(o, revisionOfObject(o))
		}
	}
	if !initial {
		m.compare(t, old, o, seen)
	}
	m.hub.state(stateOf(o, seen), seen)
	m.roles(seen)
}

// gone takes an object that was deleted.
func (m *model) gone(t binding.Target, seen time.Time) {
	if m.objects[t] == nil {
		return
	}
	delete(m.objects, t)
	delete(m.runs, t)
	delete(m.fetched, t)
	m.hub.state(State{Target: t, Status: Missing, Message: "deleted", Since: seen}, seen)
	m.roles(seen)
}

// compare publishes what has gone to an object, or from it, between two of its versions. old is nil if it is new.
func (m *model) compare(t binding.Target, old, o *unstructured.Unstructured, seen time.Time) {
	if now := object.Requested(o); old != nil && now != "" && now != object.Requested(old) {
		m.trigger(t, o, seen)
	}
	switch {
	case t.Role() == binding.Source && o.GetKind() != "HelmChart":
		m.fetching(t, old, o, seen)
	case o.GetKind() == "Kustomization":
		m.reconciling(t, old, o, seen)
	case o.GetKind() == "HelmRelease":
		m.released(t, old, o, seen)
	}
}

// trigger publishes who has asked an object to reconcile.
func (m *model) trigger(t binding.Target, o *unstructured.Unstructured, seen time.Time) {
	by := asker(o)
	p := binding.Pulse{To: t, What: binding.Trigger, Evidence: "annotated by " + by}
	if !strings.Contains(by, "notification-controller") {
		p.From = binding.User
		m.pulse(p, seen)
		return
	}
	if m.hears && (m.push == nil || m.push.asked[t]) {
		m.held = append(m.held, request{object: t, seen: seen, until: seen.Add(hold)})
		return
	}
	m.received(t, o, p, seen)
}

// received publishes that a Receiver has asked an object.
func (m *model) received(t binding.Target, o *unstructured.Unstructured, p binding.Pulse, seen time.Time) {
	// A Receiver annotates when a webhook has come. It does so before it answers, so the Git host may not have said yet
	// that its webhook was taken.
	if m.push != nil && !m.push.arrived {
		m.arrived(seen, "the Receiver has acted on it")
	}
	if m.push != nil {
		p.Revision = m.push.revision
		m.push.asked[t] = true
	}
	for _, p.From = range m.receivers(o) {
		m.pulse(p, seen)
	}
}

// release publishes the held requests that are due, or that are of an object that has begun to reconcile.
func (m *model) release(due func(request) bool) {
	var rest []request
	for _, r := range m.held {
		if !due(r) {
			rest = append(rest, r)
		} else if o := m.objects[r.object]; o != nil {
			m.received(r.object, o, binding.Pulse{To: r.object, What: binding.Trigger, Evidence: "annotated by " + asker(o)}, r.seen)
		}
	}
	m.held = rest
}

// receivers are those that may have asked the object: the one that the Git host tells, if it can be that, else all
// that name it.
func (m *model) receivers(o *unstructured.Unstructured) []binding.Target {
	var all []binding.Target
	for t, r := range m.objects {
		if !binding.IsKind(t, "Receiver") || !refers(r, o) {
			continue
		}
		if m.hookPath != "" && object.Text(r, "status", "webhookPath") == m.hookPath {
			return []binding.Target{t}
		}
		all = append(all, t)
	}
	return all
}

// refers reports whether a Receiver names an object among those that it asks.
func refers(receiver, o *unstructured.Unstructured) bool {
	resources, _, _ := unstructured.NestedSlice(receiver.Object, "spec", "resources")
	for _, each := range resources {
		ref, ok := each.(map[string]any)
		if !ok || ref["kind"] != o.GetKind() {
			continue
		}
		namespace, _ := ref["namespace"].(string)
		if namespace == "" {
			namespace = receiver.GetNamespace()
		}
		if namespace == o.GetNamespace() && (ref["name"] == o.GetName() || ref["name"] == "*") {
			return true
		}
	}
	return false
}

// What kustomize-controller says of itself while it reconciles.
const (
	building = "Building manifests for revision " // it has the artifact
	applying = "Detecting drift for revision "    // it asks the API server what is different, and applies that
)

// reconciling publishes what a Kustomization's status says.
func (m *model) reconciling(t binding.Target, old, o *unstructured.Unstructured, seen time.Time) {
	r := m.runs[t]
	progress, before := object.Condition(o, meta.ReconcilingCondition).Message, object.Condition(old, meta.ReconcilingCondition).Message
	revision, builds := strings.CutPrefix(progress, building)
	revision, _, _ = strings.Cut(revision, " ")
	evidence := "it says: " + progress
	if builds = builds && progress != before; !builds {
		// It writes its conditions first and the rest of its status then.
		revision, evidence = object.Attempted(o), "status.lastAttemptedRevision is new"
		builds = revision != "" && revision != object.Attempted(old) && revision != r.fetched
	}
	if builds {
		r.builds++
		r.fetched = revision
		m.pulse(binding.Pulse{From: sourceOf(o), To: t, What: binding.Artifact, Revision: revision, Evidence: evidence}, seen)
		for _, d := range dependencies(o) {
			m.pulse(binding.Pulse{From: d, To: t, What: binding.Depend, Revision: revision, Evidence: "it goes on, so what it depends on is ready"}, seen)
		}
	}
	if applied := revisionOfObject(o); applied != "" && applied != revisionOfObject(old) {
		m.apply(t, o, applied, "", "it says: Applied revision", seen)
	}
	if ready := object.Condition(o, meta.ReadyCondition); r.applies && ready.Status == metav1.ConditionTrue && ready != object.Condition(old, meta.ReadyCondition) {
		r.applies, r.until = false, ready.LastTransitionTime.Time
	}
}

// fetchedRevision finds the revision in what source-controller says of itself when it has fetched something new, before it
// stores that as an artifact.
func fetchedRevision(progress string) string {
	if !strings.HasPrefix(progress, "building artifact: new ") {
		return ""
	}
	_, rest, _ := strings.Cut(progress, "'")
	revision, _, _ := strings.Cut(rest, "'")
	return revision
}

// fetching publishes what the status of a source says.
func (m *model) fetching(t binding.Target, old, o *unstructured.Unstructured, seen time.Time) {
	p := binding.Pulse{From: binding.Registry, To: t, What: binding.Fetch}
	if o.GetKind() == "GitRepository" {
		p.From = binding.Git
	}
	stored, digest := object.Stored(o), object.Text(o, "status", "artifact", "digest")
	progress, before := object.Condition(o, meta.ReconcilingCondition).Message, object.Condition(old, meta.ReconcilingCondition).Message
	if revision := fetchedRevision(progress); revision != "" && progress != before {
		m.release(func(r request) bool { return r.object == t })
		m.fetched[t] = revision
		p.Revision, p.Evidence = revision, "it says: "+progress
		m.pulse(p, seen)
		return
	}
	if digest == "" || digest == object.Text(old, "status", "artifact", "digest") {
		return
	}
	m.release(func(r request) bool { return r.object == t })
	if m.fetched[t] != stored {
		p.Revision, p.Evidence = stored, "status.artifact is new"
		m.pulse(p, seen)
	}
	delete(m.fetched, t) // the next time is another one
}

// runKey identifies an Apply, which is published once.
func runKey(o *unstructured.Unstructured, revision string) string {
	return fmt.Sprintf("%s %d", revision, o.GetGeneration())
}

// apply publishes, once, that a Kustomization has applied a revision.
func (m *model) apply(t binding.Target, o *unstructured.Unstructured, revision, written, evidence string, seen time.Time) {
	if key := runKey(o, revision); m.runs[t].applied != key {
		m.runs[t].applied, m.runs[t].applies = key, true
		m.pulse(binding.Pulse{From: t, To: binding.Kubernetes, What: binding.Apply, Revision: revision, Object: written, Evidence: evidence}, seen)
	}
}

// released publishes what a HelmRelease's history says.
func (m *model) released(t binding.Target, old, o *unstructured.Unstructured, seen time.Time) {
	latest := func(o *unstructured.Unstructured) (version int64, chart, status string) {
		if o == nil {
			return 0, "", ""
		}
		history, _, _ := unstructured.NestedSlice(o.Object, "status", "history")
		if len(history) == 0 {
			return 0, "", ""
		}
		first, _ := history[0].(map[string]any)
		version, _ = first["version"].(int64)
		chart, _ = first["chartVersion"].(string)
		status, _ = first["status"].(string)
		return version, chart, status
	}
	version, chart, status := latest(o)
	before, _, statusBefore := latest(old)
	if version != before && version != 0 {
		m.pulse(binding.Pulse{From: sourceOf(o), To: t, What: binding.Artifact, Revision: chart, Evidence: "status.history has a new release"}, seen)
	}
	if status == "deployed" && (version != before || status != statusBefore) {
		m.pulse(binding.Pulse{From: t, To: binding.Kubernetes, What: binding.Apply, Revision: chart, Evidence: "status.history: deployed"}, seen)
	}
}

// sourceOf is where a Kustomization or HelmRelease gets its artifact from.
func sourceOf(o *unstructured.Unstructured) binding.Target {
	for _, path := range [][]string{{"spec", "sourceRef"}, {"spec", "chartRef"}, {"spec", "chart", "spec", "sourceRef"}} {
		ref, found, _ := unstructured.NestedStringMap(o.Object, path...)
		if !found {
			continue
		}
		namespace := ref["namespace"]
		if namespace == "" {
			namespace = o.GetNamespace()
		}
		return binding.ObjectTarget(ref["kind"], namespace, ref["name"])
	}
	return ""
}

// dependencies are what a Kustomization waits for.
func dependencies(o *unstructured.Unstructured) []binding.Target {
	var all []binding.Target
	for _, on := range object.DependsOn(o) {
		all = append(all, binding.ObjectTarget(o.GetKind(), on.Namespace, on.Name))
	}
	return all
}

// managed takes an object that a Kustomization manages, of any kind, which is new (before is nil) or has changed.
func (m *model) managed(kind string, before, o metav1.Object, seen time.Time) {
	t := owner(o)
	k, r := m.objects[t], m.runs[t]
	if k == nil || r == nil {
		return
	}
	written := kind + "/" + o.GetNamespace() + "/" + o.GetName()
	if before != nil && object.Requested(before) != object.Requested(o) {
		return // a request, and no change: see trigger
	}
	switch {
	case wrote(before, o, byFlux):
		attempted, applied := object.Attempted(k), revisionOfObject(k)
		if strings.HasPrefix(object.Condition(k, meta.ReconcilingCondition).Message, building) {
			attempted = r.fetched
		}
		offered := object.Stored(m.objects[sourceOf(k)])
		changed := object.Number(k, "status", "observedGeneration") != k.GetGeneration()
		switch {
		case attempted != applied || changed:
			m.apply(t, k, attempted, written, "kustomize-controller has written to it", seen)
		case offered != "" && offered != applied: // the source is ahead, and the Kustomization has not said so yet
			m.apply(t, k, offered, written, "kustomize-controller has written to it", seen)
		case !lastWrite(o, byFlux).After(r.until):
			// A part of the last Apply: watches have no order among them, and this one is behind the Kustomization's.
		case r.put[written] != r.builds+1: // taking over fields and applying are two writes
			r.put[written] = r.builds + 1
			m.pulse(binding.Pulse{From: t, To: binding.Kubernetes, What: binding.Drift, Revision: applied, Object: written,
				Evidence: "kustomize-controller has written to it, and the revision is the same"}, seen)
		}
	case before != nil && wrote(before, o, byHand):
		m.pulse(binding.Pulse{From: binding.User, To: binding.Kubernetes, What: binding.Change, Object: written, Evidence: "kubectl has written to it"}, seen)
	}
}

func (m *model) pulse(p binding.Pulse, seen time.Time) {
	if p.At.IsZero() {
		p.At = seen
	}
	if p.From == "" || p.To == "" {
		return // of an unknown object
	}
	m.hub.pulse(p, seen)
}
