package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// text reads a string out of an object, "" if it is not there.
func text(o *unstructured.Unstructured, path ...string) string {
	if o == nil {
		return ""
	}
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

func number(o *unstructured.Unstructured, path ...string) int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, path...)
	return n
}

// condition returns an object's condition, with an empty Type if it has none such.
func condition(o *unstructured.Unstructured, name string) Condition {
	for _, c := range conditions(o) {
		if c.Type == name {
			return c
		}
	}
	return Condition{}
}

func conditions(o *unstructured.Unstructured) []Condition {
	if o == nil {
		return nil
	}
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	var all []Condition
	for _, each := range list {
		m, ok := each.(map[string]any)
		if !ok {
			continue
		}
		field := func(name string) string { s, _ := m[name].(string); return s }
		since, _ := time.Parse(time.RFC3339, field("lastTransitionTime"))
		all = append(all, Condition{field("type"), field("status"), field("reason"), field("message"), since})
	}
	return all
}

func targetOf(o *unstructured.Unstructured) binding.Target {
	return binding.ObjectTarget(o.GetKind(), o.GetNamespace(), o.GetName())
}

// stateOf reads an object's own account of itself.
func stateOf(o *unstructured.Unstructured, now time.Time) State {
	s := State{Target: targetOf(o), Since: now}
	if o.GetKind() == "Deployment" {
		s.Status, s.Message = deployment(o)
		s.Revision = image(o)
	} else {
		s.Status, s.Message = fluxObject(o)
		s.Revision = revisionOfObject(o)
	}
	ready := condition(o, meta.ReadyCondition)
	if o.GetKind() == "Deployment" {
		ready = condition(o, "Available")
	}
	if (s.Status == Ready || s.Status == Failed) && !ready.Since.IsZero() {
		s.Since = ready.Since
	}
	s.Message = strings.Join(strings.Fields(s.Message), " ")
	return s
}

// fluxObject is the status of one of Flux's own objects.
func fluxObject(o *unstructured.Unstructured) (Status, string) {
	if suspended, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend"); suspended {
		return Suspended, "suspended; `flux resume` lets it go on"
	}
	if o.GetDeletionTimestamp() != nil {
		return Working, "being deleted"
	}
	ready, reconciling := condition(o, meta.ReadyCondition), condition(o, meta.ReconcilingCondition)
	if len(conditions(o)) == 0 {
		if binding.RoleOf(o.GetKind()) == binding.Alert {
			return Ready, "" // it has no status: it is there, and that is all
		}
		return Idle, "its controller has not looked at it yet"
	}
	progress := ready.Message
	if reconciling.Type != "" {
		progress = reconciling.Message
	}
	_, observes, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	asked := o.GetAnnotations()[meta.ReconcileRequestAnnotation]
	handled := text(o, "status", "lastHandledReconcileAt")
	switch {
	case reconciling.Status == "True" && reconciling.Reason != meta.ProgressingWithRetryReason:
		return Working, progress
	case ready.Status == "False" && ready.Reason == meta.DependencyNotReadyReason:
		return Idle, ready.Message
	case asked != "" && asked != handled && reads(o):
		return Working, "asked to reconcile"
	case ready.Status == "False":
		return Failed, ready.Message
	case ready.Status != "True":
		return Working, progress
	case observes && number(o, "status", "observedGeneration") < o.GetGeneration():
		return Working, "its last change was not looked at yet"
	}
	return Ready, ready.Message
}

// reads tells whether an object's controller writes down which request it has handled. Those which have never done so
// may be of a kind that has no such field.
func reads(o *unstructured.Unstructured) bool {
	role := binding.RoleOf(o.GetKind())
	return role == binding.Source || role == binding.Applier
}

// revisionOfObject is what an object has: applied, released or stored.
func revisionOfObject(o *unstructured.Unstructured) string {
	// The conditions are written before the other fields.
	if ready := condition(o, meta.ReadyCondition); ready.Status == "True" {
		if applied, ok := strings.CutPrefix(ready.Message, "Applied revision: "); ok {
			return applied
		}
	}
	for _, path := range [][]string{
		{"status", "lastAppliedRevision"}, {"status", "artifact", "revision"}, {"status", "lastAttemptedRevision"},
	} {
		if s := text(o, path...); s != "" {
			return s
		}
	}
	return ""
}

// deployment is the status of a Deployment.
func deployment(o *unstructured.Unstructured) (Status, string) {
	want, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if !found {
		want = 1
	}
	updated, available := number(o, "status", "updatedReplicas"), number(o, "status", "availableReplicas")
	pods := fmt.Sprintf("%d pods available, %d wanted", available, want)
	progressing := condition(o, "Progressing")
	switch {
	case o.GetDeletionTimestamp() != nil:
		return Working, "being deleted"
	case number(o, "status", "observedGeneration") < o.GetGeneration(), updated < want, number(o, "status", "replicas") > want:
		if progressing.Status == "False" {
			return Failed, progressing.Message
		}
		return Working, pods
	case want == 0:
		return Idle, "scaled to zero"
	case available < want:
		return Failed, pods
	}
	return Ready, pods
}

// image is the image of a Deployment's first container.
func image(o *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	if len(containers) == 0 {
		return ""
	}
	first, _ := containers[0].(map[string]any)
	s, _ := first["image"].(string)
	return s
}
