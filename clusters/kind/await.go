package kind

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	watchtools "k8s.io/client-go/tools/watch"
)

// readyTime is how long a node may take from the first answer of the API
// server until it takes pods, and a stopped one until its API answers.
const readyTime = 3 * time.Minute

func (c *Cluster) client() (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w; `fluxdemo up` writes it", err)
	}
	return kubernetes.NewForConfig(config)
}

// awaitAPI returns when the API server is ready.
func (c *Cluster) awaitAPI(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	// Nothing can be watched on a server that is not there yet.
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API server does not answer: %w; see `fluxdemo logs kube-apiserver`", err)
		case <-ticker.C:
		}
	}
}

// awaitNodes returns when all nodes are ready.
func (c *Cluster) awaitNodes(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("not within %s", readyTime))
	defer cancel()
	for {
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("listing the cluster's nodes: %w", err)
		}
		name, message := notReady(list.Items)
		if name == "" {
			return nil
		}
		// The next news of a node is a reason to look again.
		watcher, err := client.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			return fmt.Errorf("watching the cluster's nodes: %w", err)
		}
		_, err = watchtools.UntilWithoutRetry(ctx, watcher, func(watch.Event) (bool, error) { return true, nil })
		if err != nil && !errors.Is(err, watchtools.ErrWatchClosed) {
			return fmt.Errorf("the node %s does not become ready: %s (%w); `fluxdemo logs kubelet` may say why", name, message, context.Cause(ctx))
		}
	}
}

// notReady returns a node that is not ready and what it says.
func notReady(nodes []corev1.Node) (name, message string) {
	for _, n := range nodes {
		message := "it has not said anything yet"
		ready := false
		for _, condition := range n.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				ready, message = condition.Status == corev1.ConditionTrue, condition.Message
			}
		}
		if !ready {
			return n.Name, message
		}
	}
	return "", ""
}

// awaitPods returns when the API tells of no container that ran before
// since: then what it tells is true.
func (c *Cluster) awaitPods(ctx context.Context, since time.Time) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("not within %s", readyTime))
	defer cancel()
	for {
		list, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("listing pods: %w", err)
		}
		name := ranBefore(list.Items, since)
		if name == "" {
			return nil
		}
		watcher, err := client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			return fmt.Errorf("watching pods: %w", err)
		}
		_, err = watchtools.UntilWithoutRetry(ctx, watcher, func(watch.Event) (bool, error) { return true, nil })
		if err != nil && !errors.Is(err, watchtools.ErrWatchClosed) {
			return fmt.Errorf("the pod %s is not started again (%w); `fluxdemo logs kubelet` may say why", name, context.Cause(ctx))
		}
	}
}

// ranBefore returns a pod one of whose containers runs, as the API says,
// from before since. Times in the API are whole seconds.
func ranBefore(pods []corev1.Pod, since time.Time) string {
	since = since.Truncate(time.Second)
	for _, pod := range pods {
		for _, container := range pod.Status.ContainerStatuses {
			if running := container.State.Running; running != nil && running.StartedAt.Time.Before(since) {
				return pod.Namespace + "/" + pod.Name
			}
		}
	}
	return ""
}
