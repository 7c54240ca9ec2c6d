package health

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	notificationv1 "github.com/fluxcd/notification-controller/api/v1"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/demo/object"
)

// lastEvents is how many events of each object are shown.
const lastEvents = 3

// maxObjects is how many objects are shown: the first ones, in the order of suspects, cause the others to fail.
const maxObjects = 5

// suspects are looked at in the order in which a change passes them.
func suspects() []schema.GroupVersionKind {
	return []schema.GroupVersionKind{
		notificationv1.GroupVersion.WithKind(notificationv1.ReceiverKind),
		sourcev1.GroupVersion.WithKind(sourcev1.GitRepositoryKind),
		kustomizev1.GroupVersion.WithKind(kustomizev1.KustomizationKind),
		appsv1.SchemeGroupVersion.WithKind("Deployment"),
	}
}

// Diagnose describes the objects that are not ready, with a few lines for each: kind, namespace/name, and message, then
// its last events. It returns "" when all are ready, and the reason when it cannot read them. ctx needs a deadline.
func Diagnose(ctx context.Context, c client.Reader) string {
	var b strings.Builder
	shown := 0
	for _, kind := range suspects() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, list); err != nil {
			fmt.Fprintf(&b, "(cannot list the %ss: %v)\n", kind.Kind, err)
			continue
		}
		for i := range list.Items {
			o := &list.Items[i]
			message, fault := atFault(o)
			if !fault {
				continue
			}
			if shown++; shown > maxObjects {
				continue
			}
			fmt.Fprintf(&b, "%s %s/%s: %s\n", o.GetKind(), o.GetNamespace(), o.GetName(), object.Brief(message))
			for _, line := range events(ctx, c, o) {
				fmt.Fprintf(&b, "  %s\n", line)
			}
		}
	}
	if shown > maxObjects {
		fmt.Fprintf(&b, "and %d more; see `fluxdemo status`\n", shown-maxObjects)
	}
	return b.String()
}

// atFault reports whether an object is not ready, and what it says of itself.
func atFault(o *unstructured.Unstructured) (message string, fault bool) {
	if object.Suspended(o) {
		return "it is suspended; `flux resume` resumes it", true
	}
	wanted := "Ready"
	if o.GetKind() == "Deployment" {
		wanted = "Available"
		if r := object.RolloutOf(o); r.Updated < r.Wanted || r.Available < r.Wanted {
			return fmt.Sprintf("%d of %d pods are of the new version, %d are available", r.Updated, r.Wanted, r.Available), true
		}
	}
	condition := object.Condition(o, wanted)
	switch {
	case condition.Type == "":
		return "its controller has not reconciled it yet", true
	case object.Outdated(o):
		return "its last change is not reconciled yet; before that: " + condition.Message, true
	}
	return condition.Message, condition.Status != metav1.ConditionTrue
}

// events returns the object's last events, the newest last, a line each.
func events(ctx context.Context, c client.Reader, o *unstructured.Unstructured) []string {
	list := &corev1.EventList{}
	err := c.List(ctx, list, client.InNamespace(o.GetNamespace()), client.MatchingFields{"involvedObject.uid": string(o.GetUID())})
	if err != nil {
		return []string{fmt.Sprintf("(cannot list its events: %v)", err)}
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return object.LastSeen(a).Compare(object.LastSeen(b)) })
	var lines []string
	for _, e := range list.Items[max(0, len(list.Items)-lastEvents):] {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", object.LastSeen(e).Format(time.TimeOnly), cmp.Or(e.Type, "Normal"), e.Reason, object.Brief(e.Message)))
	}
	return lines
}
