package node

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestCorrectsStatus changes the node's part of a pod's status from outside, as
// the node lifecycle controller does when it misses a node's heartbeats. The
// node writes it again, and leaves alone what is not its own.
func TestCorrectsStatus(t *testing.T) {
	const foreign corev1.PodConditionType = "example.com/foreign"
	for name, change := range map[string]func(*corev1.PodStatus){
		"marked as not ready": func(s *corev1.PodStatus) {
			for i := range s.Conditions {
				if s.Conditions[i].Type == corev1.PodReady {
					s.Conditions[i].Status = corev1.ConditionFalse
				}
			}
		},
		"a reason":         func(s *corev1.PodStatus) { s.Reason, s.Message = "NodeLost", "the node does not answer" },
		"another phase":    func(s *corev1.PodStatus) { s.Phase = corev1.PodFailed },
		"no containers":    func(s *corev1.PodStatus) { s.ContainerStatuses = nil },
		"no ready address": func(s *corev1.PodStatus) { s.PodIP, s.PodIPs = "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.create(newTestPod("changed", serving()))
			object := w.wait("changed", "ready", isPodReady)
			meant := object.Status
			changed := object.DeepCopy()
			change(&changed.Status)
			changed.Status.Conditions = append(changed.Status.Conditions, corev1.PodCondition{Type: foreign, Status: corev1.ConditionTrue})
			if _, err := w.client.CoreV1().Pods("default").UpdateStatus(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.wait("changed", "corrected", func(now *corev1.Pod) bool {
				return isPodReady(now) && now.Status.Phase == meant.Phase && now.Status.Reason == meant.Reason && now.Status.Message == meant.Message &&
					len(now.Status.ContainerStatuses) == 1 && now.Status.PodIP == meant.PodIP && condition(now, foreign) == corev1.ConditionTrue
			})
		})
	}
}
