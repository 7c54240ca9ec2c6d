// Package node is the embedded cluster's only node: a virtual kubelet that runs
// the containers of known images as processes of this machine. Containers of
// all other images are simulated: they appear as running, and their pods say
// that nothing runs.
package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"time"

	vknode "github.com/virtual-kubelet/virtual-kubelet/node"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/addresses"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/objects"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podlog"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/registration"
)

// Config is what a node needs. All fields without a note have to be set.
type Config struct {
	Name   string               // the node's name
	Client kubernetes.Interface // an administrator's client, without a rate limit
	Dir    string               // state: pods/<uid>, and host/, the root of hostPath volumes
	LogDir string               // <namespace>_<pod>_<container>.log
	Images []images.Image       // run as processes; all others are simulated
	Server string               // the API server's URL, for the pods' kubeconfigs
	CAFile string               // its CA (PEM)
	// Clusters is how many clusters this machine may have, and Cluster which of
	// them this is, from 0. Each begins with other ports for its pods, so that
	// two never look for a free one at the same place. Both may be 0.
	Cluster, Clusters int
	// The kubelet API's own certificate and key, the CA of the clients that may
	// call it, and the common name that their certificate has to have: that of
	// the API server. An empty name lets in every certificate of the CA.
	ServingCert, ServingKey, ClientCAFile, ClientName string
	// The CA and the common name of the certificate with which the API server
	// asks for metrics. Without a CA, the node serves no metrics API.
	ProxyCAFile, ProxyName string

	// Fenced confines each process to its pod's files, to its own ports, and to
	// connections to the ports Reach, or to all if Outward.
	Fenced, Outward bool
	Reach           []int

	Env  []string                         // NAME=value, added to each process (optional)
	Logf func(format string, args ...any) // for errors that no pod event shows (optional)
}

// PodProcess describes one container of a pod on this node.
type PodProcess struct {
	Namespace string    `json:"namespace"`
	Pod       string    `json:"pod"`
	Container string    `json:"container"`
	Image     string    `json:"image"`
	PID       int       `json:"pid,omitempty"`     // 0: no process runs
	Waiting   string    `json:"waiting,omitempty"` // why, for example "ImagePullBackOff"
	Started   time.Time `json:"started,omitzero"`
	Restarts  int32     `json:"restarts"`
	Ready     bool      `json:"ready"`
	Simulated bool      `json:"simulated"`
	Silent    bool      `json:"silent,omitempty"`  // it does not answer
	Answered  time.Time `json:"answered,omitzero"` // when it did last, if it does not
}

// Node is a virtual node. Make it with New and run it once.
type Node struct {
	cfg        Config
	listener   net.Listener
	kubelet    *kubelet
	metrics    *metricsServer
	registered *registration.Node
	runtime    *runtime
	informer   informers.SharedInformerFactory
	events     record.EventBroadcaster
	stopPods   context.CancelFunc
	ready      chan struct{}
	settled    chan struct{}
	once       sync.Once
}

// podWorkers is how many pods virtual-kubelet looks at side by side. None of
// the calls takes long: a pod's life has goroutines of its own.
const podWorkers = 8

// New makes a node and opens the port of its kubelet API on 127.0.0.1. Run has
// to be called, it closes the port. It returns an error if a folder cannot be
// made or a certificate cannot be read.
func New(cfg Config) (*Node, error) {
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	for _, dir := range []string{cfg.Dir, filepath.Join(cfg.Dir, "pods"), filepath.Join(cfg.Dir, "host"), cfg.LogDir} {
		if err := podspec.MakeDir(dir); err != nil {
			return nil, err
		}
	}
	tlsConfig, err := kubeletTLS(cfg.ServingCert, cfg.ServingKey, cfg.ClientCAFile, cfg.ClientName)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening the port of the kubelet API: %w", err)
	}
	if cfg.Dir, err = filepath.EvalSymlinks(cfg.Dir); err != nil { // see fence.Rules
		return nil, errors.Join(fmt.Errorf("looking at the node's folder: %w", err), listener.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	n := &Node{
		cfg: cfg, listener: listener, stopPods: stop, ready: make(chan struct{}), settled: make(chan struct{}),
		events: record.NewBroadcaster(),
		informer: informers.NewSharedInformerFactoryWithOptions(cfg.Client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", cfg.Name).String()
		})),
	}
	lister := n.informer.Core().V1().Pods().Lister()
	n.runtime = &runtime{
		ctx: ctx, api: cfg.Client.CoreV1(), objects: objects.New(cfg.Client.CoreV1()),
		events: n.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "fluxdemo-node", Host: cfg.Name}),
		images: cfg.Images, ips: addresses.NewIPs(), ports: addresses.NewPorts(cfg.Cluster, cfg.Clusters), logs: podlog.New(cfg.LogDir),
		machine: registration.Machine(), env: cfg.Env,
		dir: filepath.Join(cfg.Dir, "pods"), hostDir: filepath.Join(cfg.Dir, "host"),
		server: cfg.Server, caFile: cfg.CAFile, logf: cfg.Logf, fenced: cfg.Fenced, reach: cfg.Reach, outward: cfg.Outward,
		pods: map[types.UID]*pod{}, byIP: map[string]*pod{},
		find: func(namespace, name string) *corev1.Pod {
			object, err := lister.Pods(namespace).Get(name)
			if err != nil {
				return nil
			}
			return object
		},
	}
	if n.metrics, err = newMetricsServer(n); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	n.registered = registration.New(cfg.Client, cfg.Name, n.Addr(), cfg.Logf)
	n.runtime.woken = n.registered.Kick
	n.kubelet = newKubelet(n.runtime, tlsConfig)
	return n, nil
}

// Addr returns the address of the kubelet API, "127.0.0.1:port".
func (n *Node) Addr() string { return n.listener.Addr().String() }

// HostDir returns the folder that stands for the root of the pods' host.
func (n *Node) HostDir() string { return n.runtime.hostDir }

// Ready returns a channel that is closed when the API shows the node as Ready.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Settled returns a channel that is closed when the pods that the node had
// before it was started again are ready again. A pod that does not get ready
// holds it up for ten seconds. Until then the API shows what was before.
func (n *Node) Settled() <-chan struct{} { return n.settled }

// settle closes settled. The pods are this process's own: it looks at them.
func (n *Node) settle(ctx context.Context, bound []*corev1.Pod) {
	const patience, lookEvery = 10 * time.Second, 10 * time.Millisecond
	defer close(n.settled)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	waiting := map[string]bool{}
	for _, pod := range bound {
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
			waiting[pod.Namespace+"/"+pod.Name] = true
		}
	}
	for len(waiting) > 0 {
		ready := map[string]bool{}
		for _, c := range n.Pods() {
			name := c.Namespace + "/" + c.Pod
			before, seen := ready[name]
			ready[name] = c.Ready && (before || !seen)
		}
		maps.DeleteFunc(waiting, func(name string, _ bool) bool { return ready[name] })
		if !backoff.Pause(ctx, lookEvery) {
			return
		}
	}
}

// Run registers the Node object, serves the kubelet API and runs the pods that
// are bound to the node, until ctx ends. Then it ends all processes, within
// two seconds; the pods stay in the API, and the next Run on the same folder
// goes on with them. It returns an error if it could not begin.
func (n *Node) Run(ctx context.Context) error {
	defer n.stopPods()
	defer n.events.Shutdown()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	pods := n.informer.Core().V1().Pods()
	if _, err := pods.Informer().AddEventHandler(n.runtime.handler()); err != nil {
		return errors.Join(fmt.Errorf("watching pods: %w", err), n.listener.Close(), n.metrics.close())
	}
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	background.Go(func() { n.kubelet.serve(ctx, n.listener) })
	background.Go(func() { n.registered.Run(ctx, func() { n.once.Do(func() { close(n.ready) }) }) })
	background.Go(func() { n.metrics.run(ctx, n) })
	n.informer.Start(ctx.Done())
	defer n.informer.Shutdown()
	defer cancel()
	defer n.runtime.shutdown()
	n.events.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: n.cfg.Client.CoreV1().Events("")})

	if !cache.WaitFor(ctx, "", pods.Informer().HasSyncedChecker()) {
		return nil // asked to stop before there was anything to run
	}
	bound, err := pods.Lister().List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing the node's pods: %w", err)
	}
	EndLeftovers(n.cfg.Dir)
	if err := n.runtime.recover(bound); err != nil {
		return err
	}
	background.Go(func() { n.settle(ctx, bound) })
	controller, err := n.podController()
	if err != nil {
		return err
	}
	if err := controller.Run(ctx, podWorkers); err != nil && ctx.Err() == nil {
		return fmt.Errorf("running pods: %w", err)
	}
	return nil
}

func (n *Node) podController() (*vknode.PodController, error) {
	// The controller wants to know of these kinds for a variable resolver
	// that is off. This factory is never started.
	unused := informers.NewSharedInformerFactory(n.cfg.Client, 0).Core().V1()
	retry := func(context.Context, string, int, time.Time, error) (*time.Duration, error) {
		return nil, nil // as often as it takes: the API server may be starting anew
	}
	limiter := func() workqueue.TypedRateLimiter[any] {
		return workqueue.NewTypedItemExponentialFailureRateLimiter[any](time.Millisecond, time.Second)
	}
	controller, err := vknode.NewPodController(vknode.PodControllerConfig{
		PodClient:                                podWriter{n.cfg.Client.CoreV1(), n.runtime.end},
		PodInformer:                              n.informer.Core().V1().Pods(),
		EventRecorder:                            silentRecorder{},
		Provider:                                 n.runtime,
		ConfigMapInformer:                        unused.ConfigMaps(),
		SecretInformer:                           unused.Secrets(),
		ServiceInformer:                          unused.Services(),
		SkipDownwardAPIResolution:                true, // it would drop resourceFieldRef
		SyncPodsFromKubernetesRateLimiter:        limiter(),
		SyncPodsFromKubernetesShouldRetryFunc:    retry,
		DeletePodsFromKubernetesRateLimiter:      limiter(),
		DeletePodsFromKubernetesShouldRetryFunc:  retry,
		SyncPodStatusFromProviderRateLimiter:     limiter(),
		SyncPodStatusFromProviderShouldRetryFunc: retry,
	})
	if err != nil {
		return nil, fmt.Errorf("making the pod controller: %w", err)
	}
	return controller, nil
}

// Locate returns the local address ("127.0.0.1:41234") of a container port of
// the pod with this IP address. Only pods of known images have one.
func (n *Node) Locate(podIP string, port int32) (addr string, ok bool) {
	if addr, ok := n.metrics.locate(podIP, port); ok {
		return addr, true
	}
	return n.runtime.locate(podIP, port)
}

// Pods returns all containers on this node, ordered by namespace, pod and
// container.
func (n *Node) Pods() []PodProcess {
	var list []PodProcess
	for _, p := range n.runtime.all() {
		list = append(list, p.processes()...)
	}
	slices.SortFunc(list, func(a, b PodProcess) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
	})
	return list
}

func (p *pod) processes() []PodProcess {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []PodProcess
	for _, c := range p.containers {
		process := PodProcess{
			Namespace: p.namespace, Pod: p.podName, Container: c.name, Image: c.image,
			Restarts: c.restarts, Ready: c.ready, Simulated: c.simulated,
		}
		if c.process != nil {
			process.PID = c.process.Pid()
		}
		if c.state.Running != nil {
			process.Started = c.state.Running.StartedAt.Time
		}
		if c.state.Waiting != nil {
			process.Waiting = c.state.Waiting.Reason
		}
		list = append(list, process)
	}
	return list
}

// silentRecorder drops the pod controller's events: the pods' own are clearer.
type silentRecorder struct{}

func (silentRecorder) Event(kuberuntime.Object, string, string, string)          {}
func (silentRecorder) Eventf(kuberuntime.Object, string, string, string, ...any) {}
func (silentRecorder) AnnotatedEventf(kuberuntime.Object, map[string]string, string, string, string, ...any) {
}
