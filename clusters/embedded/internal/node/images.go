package node

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/pull"
)

// waitingFor says why a container has not been started yet.
func waitingFor(object *corev1.Pod, container string) string {
	for _, s := range slices.Concat(object.Status.InitContainerStatuses, object.Status.ContainerStatuses) {
		if s.Name == container && s.State.Waiting != nil {
			return pull.Explain(s.State.Waiting.Reason)
		}
	}
	return "ContainerCreating"
}
