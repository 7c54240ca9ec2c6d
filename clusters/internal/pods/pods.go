// Package pods describes the pods of a cluster as its components. It is the
// same for every cluster whose pods are containers.
package pods

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/image"
)

// Component describes a pod: the version of its first container's image, and
// the state of the first unhealthy container, if any.
func Component(pod corev1.Pod) clusters.Component {
	part := clusters.Component{Name: pod.Name, Namespace: pod.Namespace, State: "Running"}
	if len(pod.Spec.Containers) > 0 {
		part.Version = image.Tag(pod.Spec.Containers[0].Image)
	}
	if len(pod.Status.ContainerStatuses) == 0 {
		part.State, part.Message = "Waiting", pod.Status.Message
	}
	for _, container := range pod.Status.ContainerStatuses {
		part.Restarts += int(container.RestartCount)
		switch state := container.State; {
		case state.Waiting != nil:
			part.State, part.Message = "Waiting", state.Waiting.Reason+" "+state.Waiting.Message
		case state.Terminated != nil:
			part.State, part.Message = "Restarting", state.Terminated.Reason
		case state.Running != nil:
			part.Started = state.Running.StartedAt.Time
			if !container.Ready {
				part.State = "NotReady"
			}
		}
	}
	return part
}
