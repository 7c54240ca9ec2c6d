package live

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/object"
)

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
	ready := object.Condition(o, meta.ReadyCondition)
	if o.GetKind() == "Deployment" {
		ready = object.Condition(o, string(appsv1.DeploymentAvailable))
	}
	if (s.Status == Ready || s.Status == Failed) && !ready.LastTransitionTime.IsZero() {
		s.Since = ready.LastTransitionTime.Time
	}
	s.Message = object.Brief(s.Message)
	return s
}

// fluxObject is the status of one of Flux's own objects.
func fluxObject(o *unstructured.Unstructured) (Status, string) {
	if object.Suspended(o) {
		return Suspended, "suspended; `flux resume` resumes it"
	}
	if o.GetDeletionTimestamp() != nil {
		return Working, "being deleted"
	}
	ready, reconciling := object.Condition(o, meta.ReadyCondition), object.Condition(o, meta.ReconcilingCondition)
	if len(object.Conditions(o)) == 0 {
		if binding.RoleOf(o.GetKind()) == binding.Alert {
			return Ready, "" // it has no status: it is there, and that is all
		}
		return Idle, "its controller has not reconciled it yet"
	}
	progress := ready.Message
	if reconciling.Type != "" {
		progress = reconciling.Message
	}
	asked := object.Requested(o)
	switch {
	case reconciling.Status == metav1.ConditionTrue && reconciling.Reason != meta.ProgressingWithRetryReason:
		return Working, progress
	case ready.Status == metav1.ConditionFalse && ready.Reason == meta.DependencyNotReadyReason:
		return Idle, ready.Message
	case asked != "" && asked != object.Handled(o) && reads(o):
		return Working, "asked to reconcile"
	case ready.Status == metav1.ConditionFalse:
		return Failed, ready.Message
	case ready.Status != metav1.ConditionTrue:
		return Working, progress
	case object.Outdated(o):
		return Working, "its last change is not reconciled yet"
	}
	return Ready, ready.Message
}

// reads reports whether an object's controller writes down which request it has handled. Those which have never done so
// may be of a kind that has no such field.
func reads(o *unstructured.Unstructured) bool {
	role := binding.RoleOf(o.GetKind())
	return role == binding.Source || role == binding.Applier
}

// revisionOfObject is what an object has: applied, released or stored.
func revisionOfObject(o *unstructured.Unstructured) string {
	// The conditions are written before the other fields.
	if ready := object.Condition(o, meta.ReadyCondition); ready.Status == metav1.ConditionTrue {
		if applied, ok := strings.CutPrefix(ready.Message, "Applied revision: "); ok {
			return applied
		}
	}
	return cmp.Or(object.Applied(o), object.Stored(o), object.Attempted(o))
}

// deployment is the status of a Deployment.
func deployment(o *unstructured.Unstructured) (Status, string) {
	r := object.RolloutOf(o)
	pods := fmt.Sprintf("%d of %d pods available", r.Available, r.Wanted)
	progressing := object.Condition(o, string(appsv1.DeploymentProgressing))
	switch {
	case o.GetDeletionTimestamp() != nil:
		return Working, "being deleted"
	case !r.Done():
		if progressing.Status == metav1.ConditionFalse {
			return Failed, progressing.Message
		}
		return Working, pods
	case r.Wanted == 0:
		return Idle, "scaled to zero"
	case r.Available < r.Wanted:
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
