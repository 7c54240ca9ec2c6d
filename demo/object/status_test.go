package object

import (
	"testing"

	"github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	if n, ok := u.Object["generation"].(float64); ok {
		u.SetGeneration(int64(n))
	}
	if n, found, _ := unstructured.NestedFloat64(u.Object, "status", "observedGeneration"); found {
		_ = unstructured.SetNestedField(u.Object, int64(n), "status", "observedGeneration")
	}
	return u
}

func TestCondition(t *testing.T) {
	for name, c := range map[string]struct{ text, status, message string }{
		"none":       {`{}`, "", ""},
		"other":      {`{status: {conditions: [{type: Reconciling, status: "True"}]}}`, "", ""},
		"ready":      {`{status: {conditions: [{type: Reconciling, status: "True"}, {type: Ready, status: "False", message: bad}]}}`, "False", "bad"},
		"no list":    {`{status: {conditions: bad}}`, "", ""},
		"odd member": {`{status: {conditions: [1, {type: Ready, status: "True"}]}}`, "True", ""},
		"odd time":   {`{status: {conditions: [{type: Ready, status: "True", message: fine, lastTransitionTime: ""}]}}`, "True", "fine"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Condition(parse(t, c.text), meta.ReadyCondition)
			if string(got.Status) != c.status || got.Message != c.message {
				t.Errorf("got %+v", got)
			}
		})
	}
	if Conditions(nil) != nil {
		t.Error("nil has conditions")
	}
}

func TestOutdated(t *testing.T) {
	for text, want := range map[string]bool{
		`{generation: 2}`: false,
		`{generation: 2, status: {observedGeneration: 2}}`:  false,
		`{generation: 2, status: {observedGeneration: 1}}`:  true,
		`{generation: 1, status: {observedGeneration: -1}}`: true,
	} {
		if got := Outdated(parse(t, text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}

func TestFields(t *testing.T) {
	o := parse(t, `{metadata: {annotations: {reconcile.fluxcd.io/requestedAt: b}}, spec: {suspend: true},
		status: {artifact: {revision: "main@sha1:1"}, lastAppliedRevision: "main@sha1:2", lastAttemptedRevision: "main@sha1:3", lastHandledReconcileAt: a}}`)
	empty := parse(t, `{}`)
	for name, c := range map[string]struct {
		read func(*unstructured.Unstructured) string
		want string
	}{
		"stored": {Stored, "main@sha1:1"}, "applied": {Applied, "main@sha1:2"}, "attempted": {Attempted, "main@sha1:3"},
		"handled":   {Handled, "a"},
		"requested": {func(o *unstructured.Unstructured) string { return Requested(o) }, "b"},
	} {
		if got := c.read(o); got != c.want || c.read(empty) != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if !Suspended(o) || Suspended(empty) {
		t.Error("suspended is read wrongly")
	}
	if !IsCommit(Stored(o), "1") || IsCommit(Stored(o), "2") || IsCommit("", "1") {
		t.Error("commits are told apart wrongly")
	}
}
