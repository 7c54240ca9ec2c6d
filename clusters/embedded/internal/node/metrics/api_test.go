package metrics

import (
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/metrics/pkg/client/clientset/versioned"
)

// served serves two pods and the node to a client as kubectl's.
func served(t *testing.T) (*API, *versioned.Clientset) {
	t.Helper()
	pods := []Pod{
		{UID: "1", Namespace: "a", Name: "web", Labels: map[string]string{"app": "web"}, Containers: []Container{{Name: "main", Main: 10}, {Name: "side", Main: 11}}},
		{UID: "2", Namespace: "b", Name: "idle", Containers: []Container{{Name: "main", Simulated: true}}},
	}
	s, o := scripted(func() []Pod { return pods })
	o.table.cpu, o.table.memory = 10, 3<<30
	o.tick(s, 0, map[int]process{10: {cpu: 1, memory: 1 << 20}, 11: {cpu: 2, memory: 2 << 20}})
	o.table.cpu = 16
	o.tick(s, 5, map[int]process{10: {cpu: 1.5, memory: 4 << 20}, 11: {cpu: 4.5, memory: 2 << 20}})
	api := &API{Sampler: s, NodeName: "here", Node: func() metav1.ObjectMeta {
		return metav1.ObjectMeta{Labels: map[string]string{"kubernetes.io/os": "linux"}}
	}}
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	client, err := versioned.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return api, client
}

func usage(list corev1.ResourceList) string {
	return list.Cpu().String() + " " + list.Memory().String()
}

func TestAPI(t *testing.T) {
	_, client := served(t)
	ctx, metrics := t.Context(), client.MetricsV1beta1()
	resources, err := client.Discovery().ServerResourcesForGroupVersion("metrics.k8s.io/v1beta1")
	if err != nil || len(resources.APIResources) != 2 {
		t.Errorf("discovery: %v, %v", resources, err)
	}
	pod, err := metrics.PodMetricses("a").Get(ctx, "web", metav1.GetOptions{})
	if err != nil || len(pod.Containers) != 2 || usage(pod.Containers[0].Usage) != "100m 4Mi" || usage(pod.Containers[1].Usage) != "500m 2Mi" || pod.Window.Seconds() != 5 {
		t.Errorf("pod a/web: %+v, %v", pod, err)
	}
	pod, err = metrics.PodMetricses("b").Get(ctx, "idle", metav1.GetOptions{})
	if err != nil || usage(pod.Containers[0].Usage) != "0 0" {
		t.Errorf("pod b/idle: %+v, %v", pod, err)
	}
	if _, err := metrics.PodMetricses("b").Get(ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a pod that is not there: %v", err)
	}
	for selector, want := range map[metav1.ListOptions]int{
		{}: 2, {LabelSelector: "app=web"}: 1, {LabelSelector: "app!=web"}: 1, {LabelSelector: "app=none"}: 0, {FieldSelector: "metadata.name=idle"}: 1,
	} {
		list, err := metrics.PodMetricses("").List(ctx, selector)
		if err != nil || len(list.Items) != want {
			t.Errorf("%+v: %d pods, %v, want %d", selector, len(list.Items), err, want)
		}
	}
	if list, err := metrics.PodMetricses("b").List(ctx, metav1.ListOptions{}); err != nil || len(list.Items) != 1 || list.Items[0].Name != "idle" {
		t.Errorf("namespace b: %+v, %v", list, err)
	}
	if _, err := metrics.PodMetricses("").List(ctx, metav1.ListOptions{LabelSelector: "a=(b"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a wrong selector: %v", err)
	}
	node, err := metrics.NodeMetricses().Get(ctx, "here", metav1.GetOptions{})
	if err != nil || usage(node.Usage) != "1200m 3Gi" {
		t.Errorf("the node: %+v, %v", node, err)
	}
	if list, err := metrics.NodeMetricses().List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/os=linux"}); err != nil || len(list.Items) != 1 {
		t.Errorf("nodes: %+v, %v", list, err)
	}
	if _, err := metrics.NodeMetricses().Get(ctx, "there", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a node that is not there: %v", err)
	}
}
