package node

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ephemeralMessage is what status and logs say of a container that kubectl
// debug adds: none runs here, since exec has all programs of this machine.
func ephemeralMessage(object *corev1.Pod, c corev1.EphemeralContainer) string {
	target := c.TargetContainerName
	if target == "" {
		target = object.Spec.Containers[0].Name
	}
	return fmt.Sprintf("ephemeral containers do not run on the virtual node; for a shell with this machine's programs: kubectl exec -it -n %s %s -c %s -- sh",
		object.Namespace, object.Name, target)
}

// ephemeralStatuses says of each ephemeral container that it has ended, so
// that kubectl debug does not wait for it. Those in before stay as they are.
func ephemeralStatuses(object *corev1.Pod, before []corev1.ContainerStatus) []corev1.ContainerStatus {
	var list []corev1.ContainerStatus
	for _, c := range object.Spec.EphemeralContainers {
		status := corev1.ContainerStatus{Name: c.Name, Image: c.Image}
		for _, old := range before {
			if old.Name == c.Name {
				status = old
			}
		}
		if status.State.Terminated == nil {
			now := metav1.Now()
			status.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "NotSupported", Message: ephemeralMessage(object, c), StartedAt: now, FinishedAt: now,
			}}
		}
		list = append(list, status)
	}
	return list
}
