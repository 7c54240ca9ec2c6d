package kind

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// TestStale goes from a cluster that was stopped to one that runs again, by
// one thing that the API tells wrong each time.
func TestStale(t *testing.T) {
	started := map[string]time.Time{"c-control-plane": time.Unix(1000, 5)}
	cluster := func(change func(pod *corev1.Pod, endpoint *discoveryv1.Endpoint, d *appsv1.Deployment)) observed {
		labels := map[string]string{"app": "git"}
		pod := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "fluxdemo", Name: "git-1", Labels: labels},
			Spec:       corev1.PodSpec{NodeName: "c-control-plane"},
			Status: corev1.PodStatus{
				PodIP:      "10.244.0.2",
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
				ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{
					Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(time.Unix(1000, 0))}, // the same second
				}}},
			},
		}
		endpoint := discoveryv1.Endpoint{
			Addresses:  []string{"10.244.0.2"},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "fluxdemo", Name: "git-1"},
		}
		deployment := appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: "fluxdemo", Name: "git"},
			Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}},
			Status:     appsv1.DeploymentStatus{ReadyReplicas: 1},
		}
		change(&pod, &endpoint, &deployment)
		return observed{
			pods: &corev1.PodList{Items: []corev1.Pod{pod}},
			slices: &discoveryv1.EndpointSliceList{Items: []discoveryv1.EndpointSlice{{
				ObjectMeta: metav1.ObjectMeta{Namespace: "fluxdemo", Name: "git-a"}, Endpoints: []discoveryv1.Endpoint{endpoint},
			}}},
			deployments: &appsv1.DeploymentList{Items: []appsv1.Deployment{deployment}},
		}
	}
	notReady := func(pod *corev1.Pod) { pod.Status.Conditions[0].Status = corev1.ConditionFalse }
	for name, test := range map[string]struct {
		change func(pod *corev1.Pod, endpoint *discoveryv1.Endpoint, d *appsv1.Deployment)
		want   string
	}{
		"all is of this run": {
			change: func(*corev1.Pod, *discoveryv1.Endpoint, *appsv1.Deployment) {},
		},
		"a container from before": {
			change: func(pod *corev1.Pod, _ *discoveryv1.Endpoint, _ *appsv1.Deployment) {
				pod.Status.ContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(time.Unix(999, 0))
			},
			want: "the pod fluxdemo/git-1 is not started again",
		},
		"another address": {
			change: func(pod *corev1.Pod, _ *discoveryv1.Endpoint, _ *appsv1.Deployment) { pod.Status.PodIP = "10.244.0.7" },
			want:   "the Service of fluxdemo/git-a sends to an address of last time",
		},
		"a Service that sends to a pod that is not ready": {
			change: func(pod *corev1.Pod, _ *discoveryv1.Endpoint, _ *appsv1.Deployment) { notReady(pod) },
			want:   "the Service of fluxdemo/git-a sends to an address of last time",
		},
		"a Deployment that tells of pods ready": {
			change: func(pod *corev1.Pod, endpoint *discoveryv1.Endpoint, _ *appsv1.Deployment) {
				notReady(pod)
				endpoint.Conditions.Ready = ptr.To(false)
			},
			want: "the Deployment fluxdemo/git has 0 pods ready and tells of 1",
		},
		"a Deployment that has not seen its pod": {
			change: func(_ *corev1.Pod, _ *discoveryv1.Endpoint, d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 },
			want:   "the Deployment fluxdemo/git has 1 pods ready and tells of 0",
		},
		"a pod that ends": {
			change: func(pod *corev1.Pod, endpoint *discoveryv1.Endpoint, d *appsv1.Deployment) {
				pod.DeletionTimestamp = ptr.To(metav1.Now())
				endpoint.Conditions.Ready = ptr.To(false)
				d.Status.ReadyReplicas = 0
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := cluster(test.change).stale(started); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
