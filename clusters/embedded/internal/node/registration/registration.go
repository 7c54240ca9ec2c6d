// Package registration keeps the node's object and its lease in the API, so that
// the cluster takes the node for alive. It repairs both after the machine slept.
package registration

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/stream"
)

const (
	leaseNamespace = corev1.NamespaceNodeLease
	leaseSeconds   = 40
	heartbeat      = 10 * time.Second
	// requestTimeout is the deadline of a single request to the API.
	requestTimeout = 10 * time.Second
	// hostIP is the node's address.
	hostIP = "127.0.0.1"
)

// Node is the node as the API shows it.
type Node struct {
	Client kubernetes.Interface // an administrator's
	Name   string
	Addr   string                           // of the kubelet API, "127.0.0.1:41234"
	Logf   func(format string, args ...any) // for what fails

	kick chan struct{}

	mu      sync.Mutex
	renewed time.Time
}

// New returns a node that Run has to register.
func New(client kubernetes.Interface, name, addr string, logf func(format string, args ...any)) *Node {
	return &Node{Client: client, Name: name, Addr: addr, Logf: logf, kick: make(chan struct{}, 1)}
}

// Run creates the Node object and keeps it alive until ctx ends. It calls ready
// once, when the API shows the node as Ready. It retries, quickly at first,
// because an API server that has just started answers with many kinds of errors.
func (n *Node) Run(ctx context.Context, ready func()) {
	retry, reported := backoff.Backoff{Min: 20 * time.Millisecond, Max: time.Second}, ""
	for ctx.Err() == nil {
		err := n.ensure(ctx)
		if err == nil {
			ready()
			// The lease only matters half a minute later: being ready does
			// not wait for it.
			err = n.renewLease(ctx)
		}
		if err == nil {
			retry.Reset()
			reported = ""
			n.mu.Lock()
			n.renewed = time.Now()
			n.mu.Unlock()
			n.pause(ctx)
			continue
		}
		if ctx.Err() == nil && err.Error() != reported {
			reported = err.Error()
			n.Logf("node: %v", err)
		}
		retry.Wait(ctx)
	}
}

// pause waits for the next heartbeat, or for a kick.
func (n *Node) pause(ctx context.Context) {
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.kick:
	case <-ctx.Done():
	}
}

// Kick asks for a heartbeat at once. It is for a sign that the cluster took the
// node for gone: after a sleep of the machine the next heartbeat may be seconds
// away, because the timers slept too.
func (n *Node) Kick() {
	select {
	case n.kick <- struct{}{}:
	default: // it looks already
	}
}

// Renewed returns when the API last took a heartbeat; zero if it never did.
func (n *Node) Renewed() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.renewed
}

// ensure creates the Node object, or brings an existing one up to date. It
// is also the heartbeat: an object that was deleted, or marked as unknown
// while the machine slept, is repaired.
func (n *Node) ensure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	nodes := n.Client.CoreV1().Nodes()
	wanted := n.Object()
	existing, err := nodes.Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if version, err := n.Client.Discovery().ServerVersion(); err == nil {
			wanted.Status.NodeInfo.KubeletVersion = version.GitVersion
		}
		if _, err := nodes.Create(ctx, wanted, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating the node: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the node: %w", err)
	}
	if isReady(existing) && existing.Status.DaemonEndpoints == wanted.Status.DaemonEndpoints {
		return nil
	}
	wanted.Status.NodeInfo.KubeletVersion = existing.Status.NodeInfo.KubeletVersion
	for i := range wanted.Status.Conditions {
		for _, old := range existing.Status.Conditions {
			if old.Type == wanted.Status.Conditions[i].Type && old.Status == wanted.Status.Conditions[i].Status {
				wanted.Status.Conditions[i].LastTransitionTime = old.LastTransitionTime
			}
		}
	}
	existing.Status = wanted.Status
	if existing, err = nodes.UpdateStatus(ctx, existing, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("writing the node's status: %w", err)
	}
	// A node that was away is tainted, and its pods would be evicted. What the
	// user did to it (cordon, own taints and labels) stays.
	kept := existing.Spec.Taints[:0:0]
	for _, taint := range existing.Spec.Taints {
		if taint.Key != corev1.TaintNodeUnreachable && taint.Key != corev1.TaintNodeNotReady {
			kept = append(kept, taint)
		}
	}
	if len(kept) != len(existing.Spec.Taints) {
		existing.Spec.Taints = kept
		if _, err := nodes.Update(ctx, existing, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("removing the node's taints: %w", err)
		}
	}
	return nil
}

func isReady(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// renewLease tells the node lifecycle controller that the node is alive.
func (n *Node) renewLease(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	leases := n.Client.CoordinationV1().Leases(leaseNamespace)
	seconds, now := int32(leaseSeconds), metav1.NowMicro()
	lease, err := leases.Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		lease = &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: n.Name, Namespace: leaseNamespace},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &n.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
		}
		if _, err = leases.Create(ctx, lease, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating the node's lease: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the node's lease: %w", err)
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &n.Name, &seconds, &now
	if _, err = leases.Update(ctx, lease, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("renewing the node's lease: %w", err)
	}
	return nil
}

// Object returns the Node object as it should be.
func (n *Node) Object() *corev1.Node {
	now := metav1.Now()
	condition := func(kind corev1.NodeConditionType, status corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
		return corev1.NodeCondition{
			Type: kind, Status: status, Reason: reason, Message: message,
			LastHeartbeatTime: now, LastTransitionTime: now,
		}
	}
	// Requests and limits are not enforced, and simulated pods cost nothing:
	// the capacity only has to exceed all requests.
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("1000"),
		corev1.ResourceMemory:           resource.MustParse("4Ti"),
		corev1.ResourceEphemeralStorage: resource.MustParse("4Ti"),
		corev1.ResourcePods:             resource.MustParse("20000"),
	}
	_, portText, _ := net.SplitHostPort(n.Addr)
	port, _ := strconv.ParseInt(portText, 10, 32)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: map[string]string{
			// The images are Linux images, whatever runs the processes.
			corev1.LabelOSStable:   "linux",
			corev1.LabelArchStable: goruntime.GOARCH,
			corev1.LabelHostname:   n.Name,
		}},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			Conditions: []corev1.NodeCondition{
				condition(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "the virtual node runs"),
				condition(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory", "not measured"),
				condition(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "not measured"),
				condition(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID", "not measured"),
			},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: hostIP},
				{Type: corev1.NodeHostName, Address: n.Name},
			},
			DaemonEndpoints:  corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
			DeclaredFeatures: []string{stream.Feature},
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: "linux", Architecture: goruntime.GOARCH,
				OSImage: "virtual node: processes of this machine", ContainerRuntimeVersion: "process://1",
			},
		},
	}
}

// Machine returns what the machine really has: what a resource field
// reference means when a container has no limit.
func Machine() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:    *resource.NewQuantity(int64(goruntime.NumCPU()), resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(machineMemory(), resource.BinarySI),
	}
}

// machineMemory returns the machine's memory in bytes, or 8 GiB where it
// cannot be read.
func machineMemory() int64 {
	const fallback = 8 << 30
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return fallback
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == "MemTotal:" {
			if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return fallback
}
