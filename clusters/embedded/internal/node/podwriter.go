package node

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// podWriter is how virtual-kubelet's pod controller changes pods. Statuses are
// written as patches: whole-object updates, which it would make, put labels,
// annotations and finalizers back to what they were when the status was made.
// And a pod is only deleted when nothing of it runs.
type podWriter struct {
	corev1client.PodsGetter
	// end asks a pod to end, if it runs, and to be deleted then.
	end func(namespace, name string, uid types.UID) bool
}

func (w podWriter) Pods(namespace string) corev1client.PodInterface {
	return podWrites{PodInterface: w.PodsGetter.Pods(namespace), namespace: namespace, end: w.end}
}

type podWrites struct {
	corev1client.PodInterface
	namespace string
	end       func(namespace, name string, uid types.UID) bool
}

// Delete is what the controller does with a pod whose grace period is over or
// whose containers only wait. What still runs of it comes first.
func (w podWrites) Delete(ctx context.Context, name string, options metav1.DeleteOptions) error {
	if p := options.Preconditions; p != nil && p.UID != nil && w.end(w.namespace, name, *p.UID) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return w.PodInterface.Delete(ctx, name, options)
}

// UpdateStatus writes the node's part of a pod's status.
func (w podWrites) UpdateStatus(ctx context.Context, pod *corev1.Pod, _ metav1.UpdateOptions) (*corev1.Pod, error) {
	return writeStatus(ctx, w.PodInterface, pod)
}

// writeStatus patches the part of the pod's status that the node is
// responsible for. A pod that has been replaced by another one of the same
// name counts as not found.
func writeStatus(ctx context.Context, pods corev1client.PodInterface, pod *corev1.Pod) (*corev1.Pod, error) {
	patch, err := statusPatch(pod)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result, err := pods.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsConflict(err) {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), pod.Name)
	}
	return result, err
}

// statusPatch returns a strategic merge patch of the node's part of a pod's
// status. The UID in it is a precondition.
func statusPatch(pod *corev1.Pod) ([]byte, error) {
	own := []corev1.PodCondition{}
	for _, kind := range ownConditions() {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == kind {
				own = append(own, condition)
			}
		}
	}
	data, err := json.Marshal(corev1.PodStatus{
		ObservedGeneration: pod.Status.ObservedGeneration,
		Phase:              pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message,
		HostIP: pod.Status.HostIP, HostIPs: pod.Status.HostIPs, PodIP: pod.Status.PodIP, PodIPs: pod.Status.PodIPs,
		StartTime: pod.Status.StartTime, Conditions: own,
		InitContainerStatuses: pod.Status.InitContainerStatuses, ContainerStatuses: pod.Status.ContainerStatuses,
		EphemeralContainerStatuses: pod.Status.EphemeralContainerStatuses,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a pod's status: %w", err)
	}
	// A merge keeps what a patch does not name: it has to say what is empty now.
	empty := func(object map[string]any) {
		for _, field := range []string{"reason", "message"} {
			if _, set := object[field]; !set {
				object[field] = nil
			}
		}
	}
	status := map[string]any{}
	if err := json.Unmarshal(data, &status); err != nil {
		return nil, fmt.Errorf("encoding a pod's status: %w", err)
	}
	empty(status)
	if conditions, ok := status["conditions"].([]any); ok {
		for _, condition := range conditions {
			if condition, ok := condition.(map[string]any); ok { // merged by type
				empty(condition)
			}
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
}
