package existing

import (
	"context"
	"errors"
	"io/fs"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/existing/internal/forward"
	"github.com/fluxdemo/fluxdemo/clusters/internal/pods"
)

// Status implements clusters.Cluster. The components are the demo's pods and
// the port forwarder; the rest of the cluster is not the demo's business.
func (c *Cluster) Status(ctx context.Context) (clusters.Status, error) {
	status := clusters.Status{Name: c.name, Provider: Provider, Kubeconfig: c.Kubeconfig()}
	if err := c.folder.Require(); err != nil {
		return status, err
	}
	made, err := loadSettings(c.dir)
	if errors.Is(err, fs.ErrNotExist) { // up was cut off before it entered
		return status, nil
	}
	if err != nil {
		return status, err
	}
	status.Server = made.Server
	forwarder, running, err := forward.Status(ctx, c.dir)
	if err != nil || !running {
		return status, err
	}
	status.Running = true
	status.Components = append(status.Components, clusters.Component{
		Name: forward.Component, State: "Running", PID: forwarder.PID, Started: forwarder.Started,
	})
	clients, err := connect(c.Kubeconfig())
	if err != nil {
		return status, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var other *IdentityError
	if err := c.Verify(ctx); errors.As(err, &other) {
		return status, err
	} // one that does not answer says so below
	for _, namespace := range c.options.Namespaces {
		list, err := clients.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			status.Components = append(status.Components, clusters.Component{Name: "kube-apiserver", State: "NotReady", Message: err.Error()})
			return status, nil
		}
		for _, pod := range list.Items {
			if pod.Status.Phase != corev1.PodSucceeded {
				status.Components = append(status.Components, pods.Component(pod))
			}
		}
	}
	return status, nil
}
