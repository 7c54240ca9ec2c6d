package kind

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/fluxdemo/fluxdemo/clusters/internal/apiserver"
)

// readyTime is how long a node may take from the first answer of the API
// server until it takes pods, and a stopped one until its API answers.
const readyTime = 3 * time.Minute

func (c *Cluster) client() (kubernetes.Interface, error) { return apiserver.Connect(c.Kubeconfig()) }

// awaitAPI returns when the API server is ready.
func (c *Cluster) awaitAPI(ctx context.Context) error {
	return apiserver.AwaitReady(ctx, c.Kubeconfig(), readyTime)
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
		if err := nextEvent(ctx, watcher); err != nil {
			return fmt.Errorf("the node %s does not become ready: %s (%w); `fluxdemo logs kubelet` may say why", name, message, err)
		}
	}
}

// awaitControlPlane returns when the kubelets call all parts of the control
// plane ready. Their probes are slow: they work some seconds earlier.
func (c *Cluster) awaitControlPlane(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("not within %s", readyTime))
	defer cancel()
	pods := client.CoreV1().Pods(metav1.NamespaceSystem)
	options := metav1.ListOptions{LabelSelector: "tier=control-plane"}
	for {
		list, err := pods.List(ctx, options)
		if err != nil {
			return fmt.Errorf("listing the control plane's pods: %w", err)
		}
		i := slices.IndexFunc(list.Items, func(pod corev1.Pod) bool { return !isReady(pod) })
		if i < 0 {
			return nil
		}
		options.ResourceVersion = list.ResourceVersion
		watcher, err := pods.Watch(ctx, options)
		options.ResourceVersion = ""
		if err != nil {
			return fmt.Errorf("watching the control plane's pods: %w", err)
		}
		if err := nextEvent(ctx, watcher); err != nil {
			return fmt.Errorf("%s does not become ready: %w; `fluxdemo logs kubelet` may say why", list.Items[i].Name, err)
		}
	}
}

// awaitServices returns when the nodes know the way to Services. A pod that
// asks for the API server before kube-proxy has said where it is ends with an
// error, and starts again in front of the audience.
func (c *Cluster) awaitServices(ctx context.Context, e engine) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	service, err := client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, apiService, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("looking for the API server's Service: %w", err)
	}
	return c.awaitService(ctx, e, service)
}

// apiService is the API server's Service, in the namespace default.
const apiService = "kubernetes"

// awaitService returns when all nodes reach the first port of the Service.
func (c *Cluster) awaitService(ctx context.Context, e engine, service *corev1.Service) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("not within %s", readyTime))
	defer cancel()
	all, err := kindcluster.NewProvider(e.provider()).ListInternalNodes(c.name)
	if err != nil {
		return fmt.Errorf("listing the cluster's nodes: %w", err)
	}
	// A connection that was begun before there was a way does not find it
	// later: the kernel remembers where it went. Nothing tells when there is
	// a way: it has to be tried again.
	connect := fmt.Sprintf("until timeout 1 bash -c 'exec 3<>/dev/tcp/%s/%d'; do sleep 0.1; done 2>/dev/null", service.Spec.ClusterIP, service.Spec.Ports[0].Port)
	for _, n := range all {
		if err := n.CommandContext(ctx, "bash", "-c", connect).Run(); err != nil {
			return fmt.Errorf("the node %s does not reach the Service %s/%s: %w; `fluxdemo logs kubelet` may say why", n, service.Namespace, service.Name, cmp.Or(context.Cause(ctx), err))
		}
	}
	return nil
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

// nextEvent returns at the next event, or when the server ends the watch, as
// it does from time to time.
func nextEvent(ctx context.Context, watcher watch.Interface) error {
	defer watcher.Stop()
	select {
	case <-watcher.ResultChan():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
