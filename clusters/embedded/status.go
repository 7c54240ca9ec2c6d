package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/controlplane"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/supervisor"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
	"github.com/fluxdemo/fluxdemo/clusters/image"
)

// Status implements clusters.Cluster.
func (c *Cluster) Status(ctx context.Context) (clusters.Status, error) {
	status := clusters.Status{Name: c.name, Provider: Provider, Kubeconfig: c.Kubeconfig()}
	if err := c.folder.Require(); err != nil {
		return status, err
	}
	client, _, err := supervisor.Dial(ctx, c.dir)
	var now supervisor.Status
	if err == nil {
		now, err = client.Health(ctx)
	}
	switch {
	case errors.Is(err, supervisor.ErrNotRunning):
		return status, nil
	case errors.Is(err, supervisor.ErrHung):
		return status, c.hung()
	case errors.Is(err, supervisor.ErrUnreachable):
		return status, fmt.Errorf("%w; `fluxdemo up` restarts it, `fluxdemo down` ends it", err)
	case err != nil:
		return status, err
	}
	status.Running = true
	status.Fence = now.Fence
	status.Server = fmt.Sprintf("https://127.0.0.1:%d", now.Settings.Port)
	versions := map[string]string{}
	if b, err := bundle.Find(now.Bundle); err == nil {
		kubernetes := b.Version("k8s.io/kubernetes")
		versions = map[string]string{
			controlplane.Etcd:              b.Version("go.etcd.io/etcd/server/v3"),
			controlplane.APIServer:         kubernetes,
			controlplane.ControllerManager: kubernetes,
			controlplane.Scheduler:         kubernetes,
		}
	}
	status.Components = append(status.Components, clusters.Component{
		Name: "supervisor", Version: now.Version, State: "Running",
		PID: now.PID, Started: now.Started, Memory: now.Memory,
	})
	for _, part := range now.Components {
		status.Components = append(status.Components, clusters.Component{
			Name: part.Name, Version: versions[part.Name], State: part.State, PID: part.PID,
			Started: part.Started, Memory: part.Memory, Restarts: part.Restarts, Message: part.LastExit, Silent: part.Silent,
		})
	}
	for _, pod := range now.Pods {
		status.Components = append(status.Components, podComponent(pod))
	}
	return status, nil
}

// Unfenced returns why the pods of the running cluster are not confined, and ""
// if they are, or if the cluster does not say.
func (c *Cluster) Unfenced(ctx context.Context) string {
	_, now, err := supervisor.Dial(ctx, c.dir)
	if err != nil {
		return ""
	}
	why, _ := strings.CutPrefix(now.Fence, supervisor.NoFence)
	if why == now.Fence {
		return ""
	}
	return why
}

// hung says of a supervisor that does not answer what to do.
func (c *Cluster) hung() error {
	pid, stopped := supervisor.Process(c.dir).Stopped()
	if stopped {
		return fmt.Errorf("the cluster's supervisor (process %d) is stopped: `kill -CONT %d` lets it go on; `fluxdemo up` restarts it", pid, pid)
	}
	return fmt.Errorf("the cluster's supervisor (process %d) does not answer; `fluxdemo up` restarts it, `fluxdemo down` ends it", pid)
}

// podComponent describes a pod: a process, or a simulation of one.
func podComponent(pod node.PodProcess) clusters.Component {
	part := clusters.Component{
		Name: pod.Pod, Namespace: pod.Namespace, Version: image.Tag(pod.Image), State: "Running",
		PID: pod.PID, Started: pod.Started, Restarts: int(pod.Restarts), Memory: process.RSS(pod.PID),
	}
	switch {
	case pod.Simulated:
		part.State, part.Memory, part.Message = "Simulated", 0, "the image is not in the bundle; nothing runs"
	case pod.PID == 0:
		part.State, part.Memory, part.Message = "Waiting", 0, pod.Waiting
	case pod.Silent:
		part.State, part.Message, part.Silent = supervisor.StateSilent, "no answer to its probe", pod.Answered
	case !pod.Ready:
		part.State = "NotReady"
	}
	return part
}
