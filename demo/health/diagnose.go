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

// lastEvents is how many events of each object are told.
const lastEvents = 3

// maxObjects is how many objects are told: the first ones in the story's order are the cause of the others.
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

// Diagnose returns what is not ready, some lines for each object: kind, namespace/name and message, then its last
// events. It is "" when all is ready, and says why when it cannot be told. ctx carries a deadline.
func Diagnose(ctx context.Context, c client.Reader) string {
	var b strings.Builder
	told := 0
	for _, kind := range suspects() {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, list); err != nil {
			fmt.Fprintf(&b, "(cannot look at the %ss: %v)\n", kind.Kind, err)
			continue
		}
		for i := range list.Items {
			o := &list.Items[i]
			message, fault := atFault(o)
			if !fault {
				continue
			}
			if told++; told > maxObjects {
				continue
			}
			fmt.Fprintf(&b, "%s %s/%s: %s\n", o.GetKind(), o.GetNamespace(), o.GetName(), oneLine(message))
			for _, line := range events(ctx, c, o) {
				fmt.Fprintf(&b, "  %s\n", line)
			}
		}
	}
	if told > maxObjects {
		fmt.Fprintf(&b, "and %d more; see `fluxdemo status`\n", told-maxObjects)
	}
	return b.String()
}

// atFault reports whether an object is not ready, and what it says of itself.
func atFault(o *unstructured.Unstructured) (message string, fault bool) {
	if object.Suspended(o) {
		return "it is suspended; `flux resume` lets it go on", true
	}
	wanted := "Ready"
	if o.GetKind() == "Deployment" {
		wanted = "Available"
		replicas, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		if !found {
			replicas = 1
		}
		updated, _, _ := unstructured.NestedInt64(o.Object, "status", "updatedReplicas")
		available, _, _ := unstructured.NestedInt64(o.Object, "status", "availableReplicas")
		if updated < replicas || available < replicas {
			return fmt.Sprintf("%d of %d pods are of the new version, %d are available", updated, replicas, available), true
		}
	}
	condition := object.Condition(o, wanted)
	switch {
	case condition.Type == "":
		return "its controller has not said anything yet", true
	case object.Outdated(o):
		return "its last change was not looked at yet; before that: " + condition.Message, true
	}
	return condition.Message, condition.Status != metav1.ConditionTrue
}

// events returns the object's last events, the newest last, a line each.
func events(ctx context.Context, c client.Reader, o *unstructured.Unstructured) []string {
	list := &corev1.EventList{}
	err := c.List(ctx, list, client.InNamespace(o.GetNamespace()), client.MatchingFields{"involvedObject.uid": string(o.GetUID())})
	if err != nil {
		return []string{fmt.Sprintf("(cannot look at its events: %v)", err)}
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return when(a).Compare(when(b)) })
	var lines []string
	for _, e := range list.Items[max(0, len(list.Items)-lastEvents):] {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", when(e).Format(time.TimeOnly), cmp.Or(e.Type, "Normal"), e.Reason, oneLine(e.Message)))
	}
	return lines
}

// when is the last time that an event was seen.
func when(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// messageStart and messageEnd are how much of a long message is shown: it begins with what failed and ends with why.
const messageStart, messageEnd = 120, 180

func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > messageStart+messageEnd {
		return string(r[:messageStart]) + " … " + string(r[len(r)-messageEnd:])
	}
	return s
}
