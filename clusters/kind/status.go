package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/internal/pods"
)

// Services of a node's systemd that have a log of their own.
const (
	kubelet    = "kubelet"
	containerd = "containerd"
)

// staticComponents are the parts of the control plane, which the kubelet
// runs from files.
func staticComponents() []string {
	return []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
}

// Status implements clusters.Cluster.
func (c *Cluster) Status(ctx context.Context) (clusters.Status, error) {
	status := clusters.Status{Name: c.name, Provider: Provider, Kubeconfig: c.Kubeconfig()}
	if err := c.folder.Require(); err != nil {
		return status, err
	}
	_, nodes, err := c.look(ctx)
	if err != nil {
		return status, err
	}
	i := slices.IndexFunc(nodes, func(n node) bool { return n.controlPlane() && n.running() })
	if i < 0 {
		return status, nil
	}
	status.Running = true
	if address, ok := nodes[i].hostPort(6443); ok {
		status.Server = "https://" + address
	}
	client, err := c.client()
	if err != nil {
		return status, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	list, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		status.Components = []clusters.Component{{Name: "kube-apiserver", State: "NotReady", Message: err.Error()}}
		return status, nil
	}
	memory := memoryOf(ctx, client, nodes)
	for _, n := range nodes {
		if !n.controlPlane() {
			continue
		}
		for _, name := range []string{kubelet, containerd} {
			status.Components = append(status.Components, clusters.Component{
				Name: name, State: "Running", Started: n.State.StartedAt, Memory: memory[n.Name+"/"+name],
			})
		}
		break
	}
	for _, pod := range list.Items {
		if pod.Status.Phase == corev1.PodSucceeded {
			continue
		}
		part := podComponent(pod)
		part.Memory = memory[pod.Namespace+"/"+pod.Name]
		status.Components = append(status.Components, part)
	}
	// The control plane first, as it carries the rest.
	slices.SortStableFunc(status.Components, func(a, b clusters.Component) int { return len(a.Namespace) - len(b.Namespace) })
	return status, nil
}

// podComponent describes a pod. The control plane's pods go by the names of
// their parts.
func podComponent(pod corev1.Pod) clusters.Component {
	part := pods.Component(pod)
	if name := pod.Labels["component"]; slices.Contains(staticComponents(), name) && pod.Namespace == metav1.NamespaceSystem {
		part.Name, part.Namespace = name, ""
	}
	return part
}

// memoryOf asks the kubelets what their pods and services use, in bytes by
// namespace/pod and node/service. It is good to know and nothing depends on
// it, so one that does not answer is left out.
func memoryOf(ctx context.Context, client kubernetes.Interface, nodes []node) map[string]int64 {
	all := map[string]int64{}
	for _, n := range nodes {
		raw, err := client.CoreV1().RESTClient().Get().Resource("nodes").Name(n.Name).SubResource("proxy").Suffix("stats/summary").DoRaw(ctx)
		if err != nil {
			continue
		}
		addMemory(all, n.Name, raw)
	}
	return all
}

// addMemory reads a kubelet's summary.
func addMemory(all map[string]int64, node string, raw []byte) {
	type memory struct {
		WorkingSetBytes int64 `json:"workingSetBytes"`
	}
	var summary struct {
		Node struct {
			SystemContainers []struct {
				Name   string
				Memory memory
			}
		}
		Pods []struct {
			PodRef struct{ Name, Namespace string }
			Memory memory
		}
	}
	if json.Unmarshal(raw, &summary) != nil {
		return
	}
	for _, part := range summary.Node.SystemContainers {
		name := part.Name
		if name == "runtime" {
			name = containerd
		}
		all[node+"/"+name] = part.Memory.WorkingSetBytes
	}
	for _, pod := range summary.Pods {
		all[pod.PodRef.Namespace+"/"+pod.PodRef.Name] = pod.Memory.WorkingSetBytes
	}
}

// Logs implements clusters.Cluster. It reads on the node, so it works when
// the API server does not.
func (c *Cluster) Logs(ctx context.Context, component string, follow bool, out io.Writer) error {
	e, nodes, err := c.look(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(nodes, func(n node) bool { return n.controlPlane() && n.running() })
	if i < 0 {
		return errors.New("the cluster is not running; `fluxdemo up` starts it")
	}
	all, err := kindcluster.NewProvider(e.provider()).ListInternalNodes(c.name)
	if err != nil {
		return fmt.Errorf("listing the cluster's nodes: %w", err)
	}
	for _, n := range all {
		if n.String() != nodes[i].Name {
			continue
		}
		err := n.CommandContext(ctx, "bash", "-c", logCommand(component, follow)).SetStdout(out).SetStderr(out).Run()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("reading the log of %s: %w", component, err)
		}
		return nil
	}
	return fmt.Errorf("node %s is gone", nodes[i].Name)
}

// logCommand is what prints a component's log on a node. The component is
// one that Status names.
func logCommand(component string, follow bool) string {
	flag := ""
	if follow {
		flag = "-f "
	}
	if component == kubelet || component == containerd {
		return fmt.Sprintf("exec journalctl --no-pager --output=cat %s--unit=%s", flag, component)
	}
	return fmt.Sprintf("exec crictl logs %s$(crictl ps --all --latest --quiet --name='^%s$')", flag, component)
}
