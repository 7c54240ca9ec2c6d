package object

import (
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
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

// Suspended tells whether spec.suspend is set: its controller leaves the object alone.
func Suspended(o *unstructured.Unstructured) bool {
	suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
	return suspended
}

// Stored returns the revision of the artifact that a source offers, "" if there is none.
func Stored(o *unstructured.Unstructured) string { return text(o, "status", "artifact", "revision") }

// Applied returns the revision that a Kustomization has applied last, "" if there is none.
func Applied(o *unstructured.Unstructured) string { return text(o, "status", "lastAppliedRevision") }

// Attempted returns the revision that a Kustomization has tried last to apply, "" if there is none.
func Attempted(o *unstructured.Unstructured) string {
	return text(o, "status", "lastAttemptedRevision")
}

// IsCommit tells whether a revision of Flux's, such as main@sha1:0a1b2c, is of a commit, given in full.
func IsCommit(revision, commit string) bool { return strings.HasSuffix(revision, ":"+commit) }

// Handled returns the reconcile request that an object's controller has handled last, "" if there is none.
func Handled(o *unstructured.Unstructured) string {
	return text(o, "status", "lastHandledReconcileAt")
}

// Requested returns the reconcile request that an object carries, "" if there is none.
func Requested(o *unstructured.Unstructured) string {
	return o.GetAnnotations()[meta.ReconcileRequestAnnotation]
}

// Request is the merge patch that asks an object's controller to reconcile it. token tells this request from others;
// those who compare requests make it of the time, as time.RFC3339Nano.
func Request(token string) map[string]any {
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{meta.ReconcileRequestAnnotation: token}}}
}

// Outdated tells whether the object has changed since its controller wrote its status. An object whose controller does
// not write down which generation it has seen never is.
func Outdated(o *unstructured.Unstructured) bool {
	seen, written, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	return written && seen < o.GetGeneration()
}

func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}
