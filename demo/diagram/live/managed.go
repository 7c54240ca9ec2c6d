package live

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// Kubernetes records in each object who has written which of its fields, and when, to the second. This shows what Flux
// has applied and what people have changed. Events would not do: Kubernetes drops them when there are many.

// owner returns the Kustomization that manages an object, "" if none does.
func owner(o metav1.Object) binding.Target {
	const group = "kustomize.toolkit.fluxcd.io/"
	labels := o.GetLabels()
	if labels[group+"name"] == "" {
		return ""
	}
	return binding.ObjectTarget("Kustomization", labels[group+"namespace"], labels[group+"name"])
}

// wrote reports whether one of those who fit has written to an object between two of its versions: it has a new time or
// more fields. before is nil for an object that is new.
func wrote(before, after metav1.Object, fits func(metav1.ManagedFieldsEntry) bool) bool {
	for _, now := range after.GetManagedFields() {
		if !fits(now) {
			continue
		}
		if before == nil {
			return true
		}
		known := false
		for _, then := range before.GetManagedFields() {
			if then.Manager == now.Manager && then.Operation == now.Operation && then.Subresource == now.Subresource {
				known = true
				if !then.Time.Equal(now.Time) || owned(now) > owned(then) {
					return true
				}
			}
		}
		if !known {
			return true
		}
	}
	return false
}

// lastWrite is when one of those who fit has written to an object last, to the second; zero if none has.
func lastWrite(o metav1.Object, fits func(metav1.ManagedFieldsEntry) bool) (last time.Time) {
	for _, e := range o.GetManagedFields() {
		if fits(e) && e.Time != nil && e.Time.After(last) {
			last = e.Time.Time
		}
	}
	return last
}

// owned counts the fields of an entry, roughly: it is for comparing.
func owned(e metav1.ManagedFieldsEntry) int {
	if e.FieldsV1 == nil {
		return 0
	}
	return bytes.Count(e.FieldsV1.GetRawBytes(), []byte(`"`))
}

// byFlux fits what kustomize-controller has applied.
func byFlux(e metav1.ManagedFieldsEntry) bool {
	return e.Manager == "kustomize-controller" && e.Operation == metav1.ManagedFieldsOperationApply
}

// byHand matches what a person has written with kubectl.
func byHand(e metav1.ManagedFieldsEntry) bool {
	return strings.HasPrefix(e.Manager, "kubectl") && e.Subresource != "status"
}

// asker returns who has asked for the reconciliation that an object's annotation asks for: the field manager.
func asker(o metav1.Object) string {
	var last metav1.ManagedFieldsEntry
	mark := fmt.Appendf(nil, `"f:%s"`, meta.ReconcileRequestAnnotation)
	for _, e := range o.GetManagedFields() {
		if e.FieldsV1 == nil || !bytes.Contains(e.FieldsV1.GetRawBytes(), mark) {
			continue
		}
		if last.Time == nil || e.Time != nil && last.Time.Before(e.Time) {
			last = e
		}
	}
	return last.Manager
}
