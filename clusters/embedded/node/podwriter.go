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

// statusWriter makes virtual-kubelet's pod controller write statuses as
// patches. Its own whole-object updates would put labels, annotations and
// finalizers back to what they were when the status was made.
type statusWriter struct{ corev1client.PodsGetter }

func (w statusWriter) Pods(namespace string) corev1client.PodInterface {
	return statusPods{w.PodsGetter.Pods(namespace)}
}

type statusPods struct{ corev1client.PodInterface }

// UpdateStatus patches the part of the pod's status that the node is
// responsible for. A pod that has been replaced by another one of the same
// name counts as not found.
func (w statusPods) UpdateStatus(ctx context.Context, pod *corev1.Pod, _ metav1.UpdateOptions) (*corev1.Pod, error) {
	patch, err := statusPatch(pod)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	result, err := w.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsConflict(err) {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), pod.Name)
	}
	return result, err
}

// statusPatch returns a strategic merge patch of the node's part of a pod's
// status. The UID in it is a precondition.
func statusPatch(pod *corev1.Pod) ([]byte, error) {
	own := []corev1.PodCondition{}
	for _, condition := range pod.Status.Conditions {
		switch condition.Type {
		case corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, conditionSimulated:
			own = append(own, condition)
		}
	}
	data, err := json.Marshal(corev1.PodStatus{
		ObservedGeneration: pod.Status.ObservedGeneration,
		Phase:              pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message,
		HostIP: pod.Status.HostIP, HostIPs: pod.Status.HostIPs, PodIP: pod.Status.PodIP, PodIPs: pod.Status.PodIPs,
		StartTime: pod.Status.StartTime, Conditions: own,
		InitContainerStatuses: pod.Status.InitContainerStatuses, ContainerStatuses: pod.Status.ContainerStatuses,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding a pod's status: %w", err)
	}
	status := map[string]any{}
	if err := json.Unmarshal(data, &status); err != nil {
		return nil, fmt.Errorf("encoding a pod's status: %w", err)
	}
	for _, field := range []string{"reason", "message"} {
		if _, set := status[field]; !set {
			status[field] = nil // a patch has to say that it is empty now
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
}
