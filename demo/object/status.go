package object

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Conditions returns an object's conditions in their order, without the generations that they are of. What is no
// condition is left out; nil has none.
func Conditions(o *unstructured.Unstructured) []metav1.Condition {
	if o == nil {
		return nil
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	var all []metav1.Condition
	for _, each := range list {
		fields, ok := each.(map[string]any)
		if !ok {
			continue
		}
		// Each by itself, so that one that cannot be read does not hide the others.
		field := func(name string) string { s, _ := fields[name].(string); return s }
		since, _ := time.Parse(time.RFC3339, field("lastTransitionTime"))
		all = append(all, metav1.Condition{
			Type: field("type"), Status: metav1.ConditionStatus(field("status")),
			Reason: field("reason"), Message: field("message"), LastTransitionTime: metav1.NewTime(since),
		})
	}
	return all
}

// Condition returns an object's condition of a type, such as meta.ReadyCondition, and the zero Condition if it has none.
func Condition(o *unstructured.Unstructured, name string) metav1.Condition {
	for _, c := range Conditions(o) {
		if c.Type == name {
			return c
		}
	}
	return metav1.Condition{}
}

// Suspended reports whether spec.suspend is set, so that the controller does not reconcile the object.
func Suspended(o *unstructured.Unstructured) bool {
	suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	return suspended
}

// Stored returns the revision of the artifact that a source offers, "" if there is none.
func Stored(o *unstructured.Unstructured) string { return Text(o, "status", "artifact", "revision") }

// Applied returns the revision that a Kustomization has applied last, "" if there is none.
func Applied(o *unstructured.Unstructured) string { return Text(o, "status", "lastAppliedRevision") }

// Attempted returns the revision that a Kustomization has tried last to apply, "" if there is none.
func Attempted(o *unstructured.Unstructured) string {
	return Text(o, "status", "lastAttemptedRevision")
}

// IsCommit reports whether a revision of Flux, for example main@sha1:4f2a..., is of a commit. Both hashes are complete.
func IsCommit(revision, commit string) bool { return strings.HasSuffix(revision, ":"+commit) }

// Outdated reports whether the object has changed since its controller wrote its status. It returns false if the
// controller does not record the generation that it has seen.
func Outdated(o *unstructured.Unstructured) bool {
	seen, written, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	return written && seen < o.GetGeneration()
}

// Text returns the string at a path in an object, for example "status", "webhookPath"; "" if there is none. nil has none.
func Text(o *unstructured.Unstructured, path ...string) string {
	if o == nil {
		return ""
	}
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

// Number returns the whole number at a path in an object, for example "status", "observedGeneration"; 0 if there is
// none. nil has none.
func Number(o *unstructured.Unstructured, path ...string) int64 {
	if o == nil {
		return 0
	}
	n, _, _ := unstructured.NestedInt64(o.Object, path...)
	return n
}
