package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/fluxdemo/fluxdemo/clusters"
)

// freeLeases deletes the leases that were last renewed before any of the
// nodes was started. Their holders ended with the nodes, and who comes after
// them would wait until they run out: 15 s in the control plane, 35 s in
// what runs on it, one after the other.
func (c *Cluster) freeLeases(ctx context.Context, nodes []node) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	list, err := client.CoordinationV1().Leases("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing leases: %w", err)
	}
	first := slices.MinFunc(nodes, func(a, b node) int { return a.State.StartedAt.Compare(b.State.StartedAt) }).State.StartedAt
	for _, lease := range list.Items {
		// A node's own lease is its sign of life.
		if lease.Namespace == corev1.NamespaceNodeLease || lease.Spec.RenewTime == nil || !lease.Spec.RenewTime.Time.Before(first) {
			continue
		}
		err := client.CoordinationV1().Leases(lease.Namespace).Delete(ctx, lease.Name, metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion},
		})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("deleting the lease %s/%s, whose holder is gone: %w", lease.Namespace, lease.Name, err)
		}
	}
	return nil
}

// awaitTruth returns when what the API tells is of this run of the nodes. In
// a cluster that was stopped, pods are Running, Deployments are Available and
// Services have addresses from before, which may be another pod's by now,
// until kubelet and controller manager have looked again.
func (c *Cluster) awaitTruth(ctx context.Context, nodes []node, steps clusters.Steps) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	started := map[string]time.Time{}
	for _, n := range nodes {
		started[n.Name] = n.State.StartedAt
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyTime, fmt.Errorf("not within %s", readyTime))
	defer cancel()
	var end func(error)
	for {
		now, err := observe(ctx, client)
		var stale string
		if err == nil {
			stale = now.stale(started)
		}
		if stale != "" && end == nil {
			end = steps.Start("Pods of last time")
		}
		if stale != "" {
			if err = now.changed(ctx, client); err == nil {
				continue
			}
			err = fmt.Errorf("%s: %w; `fluxdemo logs kubelet` may say why", stale, err)
		}
		if end != nil {
			end(err)
		}
		return err
	}
}

// observed is what the API tells at a time.
type observed struct {
	pods        *corev1.PodList
	slices      *discoveryv1.EndpointSliceList
	deployments *appsv1.DeploymentList
}

func observe(ctx context.Context, client kubernetes.Interface) (o observed, err error) {
	if o.pods, err = client.CoreV1().Pods("").List(ctx, metav1.ListOptions{}); err != nil {
		return o, fmt.Errorf("listing pods: %w", err)
	}
	if o.slices, err = client.DiscoveryV1().EndpointSlices("").List(ctx, metav1.ListOptions{}); err != nil {
		return o, fmt.Errorf("listing the addresses of Services: %w", err)
	}
	if o.deployments, err = client.AppsV1().Deployments("").List(ctx, metav1.ListOptions{}); err != nil {
		return o, fmt.Errorf("listing Deployments: %w", err)
	}
	return o, nil
}

// changed returns when there is news of anything that was observed.
func (o observed) changed(ctx context.Context, client kubernetes.Interface) error {
	var watchers []watch.Interface
	defer func() {
		for _, w := range watchers {
			w.Stop()
		}
	}()
	for _, start := range []func() (watch.Interface, error){
		func() (watch.Interface, error) {
			return client.CoreV1().Pods("").Watch(ctx, metav1.ListOptions{ResourceVersion: o.pods.ResourceVersion})
		},
		func() (watch.Interface, error) {
			return client.DiscoveryV1().EndpointSlices("").Watch(ctx, metav1.ListOptions{ResourceVersion: o.slices.ResourceVersion})
		},
		func() (watch.Interface, error) {
			return client.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{ResourceVersion: o.deployments.ResourceVersion})
		},
	} {
		w, err := start()
		if err != nil {
			return err
		}
		watchers = append(watchers, w)
	}
	select {
	case <-watchers[0].ResultChan():
	case <-watchers[1].ResultChan():
	case <-watchers[2].ResultChan():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// stale says what is not of the run of the nodes that were started at these
// times, or "".
func (o observed) stale(started map[string]time.Time) string {
	if name := ranBefore(o.pods.Items, started); name != "" {
		return fmt.Sprintf("the pod %s is not started again", name)
	}
	ready := map[string]bool{} // by namespace, name and address
	for _, pod := range o.pods.Items {
		ready[strings.Join([]string{pod.Namespace, pod.Name, pod.Status.PodIP}, "/")] = isReady(pod)
	}
	for _, slice := range o.slices.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef == nil || endpoint.TargetRef.Kind != "Pod" || endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready {
				continue
			}
			for _, address := range endpoint.Addresses {
				if !ready[strings.Join([]string{endpoint.TargetRef.Namespace, endpoint.TargetRef.Name, address}, "/")] {
					return fmt.Sprintf("the Service of %s/%s sends to an address of last time", slice.Namespace, slice.Name)
				}
			}
		}
	}
	for _, d := range o.deployments.Items {
		selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
		if err != nil {
			continue // the API server takes no such Deployment
		}
		var pods int32
		for _, pod := range o.pods.Items {
			if pod.Namespace == d.Namespace && pod.DeletionTimestamp == nil && selector.Matches(labels.Set(pod.Labels)) && isReady(pod) {
				pods++
			}
		}
		if pods != d.Status.ReadyReplicas {
			return fmt.Sprintf("the Deployment %s/%s has %d pods ready and tells of %d", d.Namespace, d.Name, pods, d.Status.ReadyReplicas)
		}
	}
	return ""
}

func isReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// ranBefore returns a pod one of whose containers runs, as the API says,
// from before its node was started. Times in the API are whole seconds.
func ranBefore(pods []corev1.Pod, started map[string]time.Time) string {
	for _, pod := range pods {
		since := started[pod.Spec.NodeName].Truncate(time.Second)
		for _, container := range pod.Status.ContainerStatuses {
			if running := container.State.Running; running != nil && running.StartedAt.Time.Before(since) {
				return pod.Namespace + "/" + pod.Name
			}
		}
	}
	return ""
}

// awaitProxy returns when the nodes send to where the API says, now that it
// says what is true: kube-proxy follows up to a second behind. It learns of
// addresses in the order in which they were written, and applies all that it
// knows at once. So a new Service that can be reached tells that whatever was
// written before it has been applied.
func (c *Cluster) awaitProxy(ctx context.Context, e engine) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	api, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).Get(ctx, apiService, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("looking for the API server's address: %w", err)
	}
	if len(api.Ports) == 0 || api.Ports[0].Port == nil || len(api.Endpoints) == 0 {
		return errors.New("the API server's Service has no endpoint; try `fluxdemo up` again")
	}
	services, slices := client.CoreV1().Services(metav1.NamespaceSystem), client.DiscoveryV1().EndpointSlices(metav1.NamespaceSystem)
	// A marker of an interrupted run does no harm, but should not stay.
	mark := map[string]string{"fluxdemo.github.io/marker": "kube-proxy"}
	left, err := services.List(ctx, metav1.ListOptions{LabelSelector: labels.FormatLabels(mark)})
	if err != nil {
		return fmt.Errorf("listing markers for kube-proxy: %w", err)
	}
	service, err := services.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "fluxdemo-marker-", Labels: mark},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: ptr.Deref(api.Ports[0].Name, ""), Port: *api.Ports[0].Port}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating a marker for kube-proxy: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markerTime)
		defer cancel()
		for _, s := range append(left.Items, *service) {
			_ = services.Delete(ctx, s.Name, metav1.DeleteOptions{}) // the next start tries again
		}
	}()
	_, err = slices.Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name:            service.Name,
			Labels:          map[string]string{discoveryv1.LabelServiceName: service.Name, discoveryv1.LabelManagedBy: "fluxdemo.github.io"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(service, corev1.SchemeGroupVersion.WithKind("Service"))},
		},
		AddressType: api.AddressType,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: api.Endpoints[0].Addresses}},
		Ports:       api.Ports,
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("creating a marker for kube-proxy: %w", err)
	}
	return c.awaitService(ctx, e, service)
}

// markerTime is how long taking a marker away may take.
const markerTime = 10 * time.Second
