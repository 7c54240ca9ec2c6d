package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// stateKinds are the objects that walks and people change.
const stateKinds = "gitrepositories.source.toolkit.fluxcd.io,kustomizations.kustomize.toolkit.fluxcd.io," +
	"receivers.notification.toolkit.fluxcd.io,providers.notification.toolkit.fluxcd.io,alerts.notification.toolkit.fluxcd.io," +
	"deployments.apps,services,configmaps,secrets,resourcequotas,limitranges"

// state is what a walk can change, in a form that can be compared: the written fields of each object, and
// the commit of the fleet.
func state(t *testing.T, d *testDemo) map[string]string {
	t.Helper()
	state, _ := look(t, d)
	return state
}

// look returns the state, and the revision that each Kustomization has tried last. One kubectl gets both: it costs more
// to start one than to read all namespaces.
func look(t *testing.T, d *testDemo) (state, tried map[string]string) {
	t.Helper()
	state, tried = map[string]string{"main": head(t, d)}, map[string]string{}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal([]byte(d.kubectl(t, "get", "-A", stateKinds, "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Items {
		meta, _ := o["metadata"].(map[string]any)
		namespace, _ := meta["namespace"].(string)
		if !slices.Contains([]string{"flux-system", "app", "playground"}, namespace) {
			continue
		}
		if status, _ := o["status"].(map[string]any); namespace == "flux-system" && o["kind"] == "Kustomization" {
			name, _ := meta["name"].(string)
			tried[name], _ = status["lastAttemptedRevision"].(string)
		}
		spec, _ := o["spec"].(map[string]any)
		ports, _ := spec["ports"].([]any)
		for _, port := range ports {
			delete(port.(map[string]any), "nodePort") // a Service that was deleted has others
		}
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
		facts := map[string]any{"labels": meta["labels"], "data": o["data"], "spec": spec}
		notes := map[string]any{}
		annotations, _ := meta["annotations"].(map[string]any)
		for name, value := range annotations {
			switch name {
			case "reconcile.fluxcd.io/requestedAt", "deployment.kubernetes.io/revision":
				// The number of requests is not a state.
			default:
				notes[name] = value
			}
		}
		facts["annotations"] = notes
		text, err := json.Marshal(facts)
		if err != nil {
			t.Fatal(err)
		}
		state[fmt.Sprintf("%s %s/%s", o["kind"], namespace, meta["name"])] = string(text)
	}
	return state, tried
}

// same compares two states and names each difference.
func same(t *testing.T, before, after map[string]string) {
	t.Helper()
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if before[name] != after[name] {
			t.Errorf("%s was\n\t%s\nand is\n\t%s", name, or(before[name], "not there"), or(after[name], "not there"))
		}
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// press runs a walk in plain lines with some keys typed, and goes on where the run before has left off.
func press(t *testing.T, d *testDemo, keys, walk string) string {
	t.Helper()
	r := d.run(nil, "/bin/sh", "-c", fmt.Sprintf("printf '%s' | fluxdemo walk %s", keys, walk))
	if r.code != 0 || strings.Contains(r.stdout, "✗") {
		t.Fatal(r)
	}
	return r.stdout
}

// TestReset makes a mess such as a workshop leaves, and resets.
func TestReset(t *testing.T) {
	d := sharedDemo(t)
	d.must(t, "reset")
	before := state(t, d)
	dir := clone(t, d, "mess")
	edit(t, dir+"/apps/base/app/deployment.yaml", "replicas: 1", "replicas: lots")
	d.git(t, dir, "commit", "-q", "-a", "-m", "A mistake")
	d.git(t, dir, "push", "-q")
	d.kubectl(t, "-n", "flux-system", "wait", "kustomization/apps", "--for=condition=Ready=False", "--timeout=60s")
	for _, mess := range []string{
		"-n flux-system patch kustomization apps --type=merge -p {\"spec\":{\"suspend\":true}}",
		"-n flux-system patch receiver flux-system --type=merge -p {\"spec\":{\"events\":[\"ping\"]}}",
		"-n flux-system patch gitrepository flux-system --type=merge -p {\"spec\":{\"suspend\":true}}",
		"-n app scale deployment app --replicas=3",
		"-n app annotate deployment app kustomize.toolkit.fluxcd.io/reconcile=disabled",
		"-n app create configmap guest --from-literal=hello=there",
		"-n playground create deployment guest --image=nginx",
		"-n playground delete limitrange playground",
	} {
		d.kubectl(t, strings.Fields(mess)...)
	}
	if now := state(t, d); maps.Equal(before, now) {
		t.Fatal("the mess is not seen: nothing would be tested")
	}
	d.must(t, "reset")
	same(t, before, state(t, d))
	await(t, healTime, "all is well", d.healthy)
	if r := d.fluxdemo("reset"); r.code != 0 { // twice is no harm
		t.Error(r)
	}
	same(t, before, state(t, d))
}

// TestResumedAfterAnother goes on with a walk after another one has moved the fleet.
func TestResumedAfterAnother(t *testing.T) {
	d := sharedDemo(t)
	press(t, d, `g 4\nq\n`, "gitops") // the app is tomato
	painted := state(t, d)
	d.must(t, "walk", "principles", "--auto")
	if now := head(t, d); now == painted["main"] {
		t.Fatal("the other walk has not moved the fleet: nothing would be tested")
	}
	out := press(t, d, `q\n`, "gitops")
	if !strings.Contains(out, "moved") {
		t.Errorf("no message about the moved fleet:\n%s", out)
	}
	same(t, painted, state(t, d))
	press(t, d, `g 11\n\n`, "gitops")
	if _, err := os.Stat(d.cluster() + "/walks/gitops.json"); !os.IsNotExist(err) {
		t.Errorf("the progress is still there: %v", err)
	}
}
