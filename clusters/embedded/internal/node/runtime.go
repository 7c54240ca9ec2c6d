package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/errdefs"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/addresses"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/objects"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podlog"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
)

const (
	// requestTimeout is the deadline of a single request to the API.
	requestTimeout = 10 * time.Second
	// goneGrace is what processes get whose pod the API has already forgotten.
	goneGrace = 2 * time.Second
	// shutdownGrace is what processes get when the node itself stops.
	shutdownGrace = 2 * time.Second
)

// coreAPI is what the runtime needs of the Kubernetes API.
type coreAPI interface {
	corev1client.PodsGetter
	corev1client.SecretsGetter
	corev1client.ConfigMapsGetter
	corev1client.ServiceAccountsGetter
	podspec.ClaimsAPI
}

// runtime runs pods as processes. It is what virtual-kubelet calls a provider.
type runtime struct {
	// ctx ends when all pods have to stop at once. It stands here since pods
	// live longer than the call that makes them: virtual-kubelet's contexts
	// end with their call, and event handlers have none.
	ctx     context.Context
	api     coreAPI
	events  record.EventRecorder
	objects *objects.Objects
	images  []images.Image
	ips     *addresses.IPs
	ports   *addresses.Ports
	logs    *podlog.Store
	machine corev1.ResourceList
	env     []string

	dir, hostDir   string
	server, caFile string
	fenced         bool
	reach          []int // TCP ports that every pod may connect to
	outward        bool  // to all
	logf           func(format string, args ...any)
	// find returns a pod as the API has it now; nil if there is none.
	find func(namespace, name string) *corev1.Pod
	// woken is called when the cluster has taken the node for gone.
	woken func()

	mu       sync.Mutex
	pods     map[types.UID]*pod
	byIP     map[string]*pod
	tell     func(*corev1.Pod)
	closing  bool
	finished sync.WaitGroup
}

// NotifyPods registers the function that receives each new pod status.
func (r *runtime) NotifyPods(_ context.Context, tell func(*corev1.Pod)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell = tell
}

// notify pushes a pod's status. It drops the status of a pod that the API has
// deleted, or replaced by another one of the same name.
func (r *runtime) notify(object *corev1.Pod) {
	if now := r.find(object.Namespace, object.Name); now == nil || now.UID != object.UID {
		return
	}
	r.mu.Lock()
	tell := r.tell
	r.mu.Unlock()
	if tell != nil {
		tell(object)
	}
}

// CreatePod starts a pod and returns at once. A pod that runs already is left
// alone.
func (r *runtime) CreatePod(_ context.Context, object *corev1.Pod) error {
	r.mu.Lock()
	if r.closing || r.pods[object.UID] != nil {
		r.mu.Unlock()
		return nil
	}
	ip, err := r.ips.Take(object.UID, object.Status.PodIP)
	if err != nil {
		r.mu.Unlock()
		return err
	}
	p := newPod(r, object, ip)
	r.pods[object.UID], r.byIP[ip] = p, p
	r.finished.Add(1)
	r.mu.Unlock()
	go p.run()
	// A deletion that came before the pod was on the list did not find it.
	if now := r.find(object.Namespace, object.Name); now == nil || now.UID != object.UID {
		p.terminate(0)
	}
	return nil
}

// UpdatePod takes over a changed pod.
func (r *runtime) UpdatePod(_ context.Context, object *corev1.Pod) error {
	if p := r.byUID(object.UID); p != nil {
		p.observe(object)
	}
	return nil
}

// DeletePod asks a pod to end, and returns at once.
func (r *runtime) DeletePod(_ context.Context, object *corev1.Pod) error {
	p := r.byUID(object.UID)
	switch {
	case p == nil:
		// Nothing of it runs: there is nothing to wait for.
		r.removeFiles(object)
		go r.deletePod(object)
		return errdefs.NotFound("the pod does not run on this node")
	case object.DeletionGracePeriodSeconds != nil:
		p.terminate(time.Duration(*object.DeletionGracePeriodSeconds) * time.Second)
	default:
		p.terminate(goneGrace)
	}
	return nil
}

// end asks a pod to end in the time that the API gives it. It reports whether
// the pod is on this node; if so, it takes itself out of the API.
func (r *runtime) end(namespace, name string, uid types.UID) bool {
	p := r.byUID(uid)
	if p == nil {
		return false
	}
	object := r.find(namespace, name)
	if object == nil || object.UID != uid {
		object = p.current()
	}
	_ = r.DeletePod(r.ctx, object) // only fails for a pod that has just ended
	return true
}

// GetPod returns the pod of that name that the API means. A pod of the same
// name that still ends is not it.
func (r *runtime) GetPod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	if p := r.byName(namespace, name); p != nil {
		return p.withStatus(), nil
	}
	return nil, errdefs.NotFoundf("pod %s/%s does not run on this node", namespace, name)
}

// GetPodStatus returns the status of the pod that GetPod returns.
func (r *runtime) GetPodStatus(ctx context.Context, namespace, name string) (*corev1.PodStatus, error) {
	object, err := r.GetPod(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return &object.Status, nil
}

// GetPods returns all pods that run on this node.
func (r *runtime) GetPods(context.Context) ([]*corev1.Pod, error) {
	var list []*corev1.Pod
	for _, p := range r.all() {
		list = append(list, p.withStatus())
	}
	return list, nil
}

func (r *runtime) byUID(uid types.UID) *pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pods[uid]
}

func (r *runtime) byName(namespace, name string) *pod {
	if now := r.find(namespace, name); now != nil {
		return r.byUID(now.UID)
	}
	for _, p := range r.all() {
		if p.namespace == namespace && p.podName == name {
			return p
		}
	}
	return nil
}

func (r *runtime) all() []*pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*pod, 0, len(r.pods))
	for _, p := range r.pods {
		list = append(list, p)
	}
	return list
}

// handler follows what the pod controller does not care for: changes of other
// people's part of the status, pods that were replaced under the same name,
// and deletions that a broken watch has hidden.
func (r *runtime) handler() cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, now any) {
			old, oldOK := before.(*corev1.Pod)
			object, ok := now.(*corev1.Pod)
			if !ok || !oldOK {
				return
			}
			if old.UID != object.UID {
				r.gone(old)
				_ = r.CreatePod(r.ctx, object) // the controller tries again and reports
				return
			}
			if p := r.byUID(object.UID); p != nil {
				p.observe(object)
				p.compare()
			}
		},
		DeleteFunc: func(object any) {
			if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = tombstone.Obj
			}
			if object, ok := object.(*corev1.Pod); ok {
				r.gone(object)
			}
		},
	}
}

// gone ends what is left of a pod that the API has forgotten.
func (r *runtime) gone(object *corev1.Pod) {
	if p := r.byUID(object.UID); p != nil {
		p.terminate(goneGrace)
		return
	}
	r.removeFiles(object)
}

func (r *runtime) podDir(uid types.UID) string { return filepath.Join(r.dir, string(uid)) }

// removeFiles removes the files of a pod that does not run.
func (r *runtime) removeFiles(object *corev1.Pod) {
	_ = os.RemoveAll(r.podDir(object.UID)) // the next start of the node tries again
	if now := r.find(object.Namespace, object.Name); now != nil && now.UID != object.UID {
		return // the logs are another pod's
	}
	for _, list := range [][]corev1.Container{object.Spec.InitContainers, object.Spec.Containers} {
		for _, c := range list {
			r.logs.Remove(podlog.Key{Namespace: object.Namespace, Pod: object.Name, Container: c.Name})
		}
	}
}

// recover prepares for the pods that the API has bound to this node: their
// addresses are kept for them, and what is left of others is removed.
func (r *runtime) recover(bound []*corev1.Pod) error {
	known, names := map[string]bool{}, map[string]bool{}
	for _, object := range bound {
		known[string(object.UID)], names[object.Namespace+"/"+object.Name] = true, true
		if object.Status.PodIP == "" || object.Status.Phase == corev1.PodSucceeded || object.Status.Phase == corev1.PodFailed {
			continue
		}
		if _, err := r.ips.Take(object.UID, object.Status.PodIP); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the folder of pods: %w", err)
	}
	for _, entry := range entries {
		if !known[entry.Name()] {
			_ = os.RemoveAll(filepath.Join(r.dir, entry.Name())) // tried again at the next start
		}
	}
	return r.logs.Clean(func(namespace, pod string) bool { return names[namespace+"/"+pod] })
}

// deletePod writes a pod's last status and takes it out of the API. It goes on
// until that has worked or the node stops: the pod controller would only do
// it when the grace period is over.
func (r *runtime) deletePod(object *corev1.Pod) {
	retry := backoff.Backoff{Min: 50 * time.Millisecond, Max: 2 * time.Second}
	for {
		err := r.tryDeletePod(object)
		if err == nil || !retry.Wait(r.ctx) {
			return
		}
		r.logf("pod %s/%s: %v", object.Namespace, object.Name, err)
	}
}

func (r *runtime) tryDeletePod(object *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(r.ctx, requestTimeout)
	defer cancel()
	_, err := writeStatus(ctx, r.api.Pods(object.Namespace), object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing its last status: %w", err)
	}
	options := metav1.NewDeleteOptions(0)
	options.Preconditions = metav1.NewUIDPreconditions(string(object.UID))
	err = r.api.Pods(object.Namespace).Delete(ctx, object.Name, *options)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting it: %w", err)
	}
	return nil
}

// forget takes a pod that has ended off the list.
func (r *runtime) forget(p *pod) {
	r.mu.Lock()
	delete(r.pods, p.uid)
	if r.byIP[p.ip] == p {
		delete(r.byIP, p.ip)
	}
	r.mu.Unlock()
	r.ips.Release(p.uid, p.ip)
	r.finished.Done()
}

func (r *runtime) isClosing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closing
}

// shutdown ends all processes and waits for them. The pods stay in the API.
func (r *runtime) shutdown() {
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	for _, p := range r.all() {
		p.terminate(min(shutdownGrace, p.gracePeriod()))
	}
	r.finished.Wait()
}

// locate returns the local address of a pod's container port.
func (r *runtime) locate(ip string, port int32) (string, bool) {
	r.mu.Lock()
	p := r.byIP[ip]
	r.mu.Unlock()
	if p == nil {
		return "", false
	}
	local, ok := p.mappedPort(port)
	return fmt.Sprintf("127.0.0.1:%d", local), ok
}
