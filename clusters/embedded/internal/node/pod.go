package node

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podlog"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
	"github.com/fluxdemo/fluxdemo/clusters/internal/conns"
)

// defaultGrace is the termination grace period of a pod that names none.
const defaultGrace = 30 * time.Second

// pod is one pod's life on this node, from when the node saw it until the API
// has forgotten it.
type pod struct {
	rt        *runtime
	uid       types.UID
	namespace string
	podName   string
	dir       string
	ip        string
	volumes   *podVolumes

	// The pod's goroutines hang on these, which begin in the node and are
	// ended by calls on the pod.
	stopped context.Context // ends when the pod has to stop
	stop    context.CancelFunc
	working context.Context // ends when its containers have ended, too
	rest    context.CancelFunc
	kill    chan struct{} // closed when the termination's grace is over
	killed  sync.Once

	containers []*container // init containers first, in the spec's order

	pushing sync.Mutex // keeps statuses in order; taken before mu

	mu        sync.Mutex
	object    *corev1.Pod // as the API last showed it; read only
	startTime metav1.Time
	stopping  bool
	grace     time.Duration
	killTimer *time.Timer
	ports     map[int32]int // container port -> local port
	failure   string        // why the pod as a whole failed, e.g. DeadlineExceeded
	finished  bool          // all containers have ended for good
	pushed    corev1.PodStatus
	// comparing says that a look at what the API shows is due; see compare.
	comparing  bool
	correction backoff.Backoff
}

func newPod(rt *runtime, object *corev1.Pod, ip string) *pod {
	p := &pod{
		rt: rt, uid: object.UID, namespace: object.Namespace, podName: object.Name, dir: rt.podDir(object.UID), ip: ip,
		kill: make(chan struct{}), object: object, ports: map[int32]int{},
		startTime: metav1.Now(), pushed: *object.Status.DeepCopy(),
		correction: backoff.Backoff{Min: settleTime, Max: time.Minute},
	}
	if object.Status.StartTime != nil {
		p.startTime = *object.Status.StartTime
	}
	p.stopped, p.stop = context.WithCancel(rt.ctx)
	p.working, p.rest = context.WithCancel(p.stopped)
	p.volumes = newPodVolumes(p)
	for i := range object.Spec.InitContainers {
		c := &object.Spec.InitContainers[i]
		kind := initContainer
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			kind = sidecar
		}
		p.containers = append(p.containers, newContainer(p, c, kind))
	}
	for i := range object.Spec.Containers {
		p.containers = append(p.containers, newContainer(p, &object.Spec.Containers[i], mainContainer))
	}
	return p
}

func newContainer(p *pod, spec *corev1.Container, kind containerKind) *container {
	c := &container{pod: p, name: spec.Name, kind: kind, kick: make(chan struct{}, 1), hung: make(chan struct{}, 1), image: spec.Image}
	_, known := images.Find(p.rt.images, spec.Image)
	c.simulated = !known
	c.state.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	if kind == mainContainer && len(p.object.Spec.InitContainers) > 0 {
		c.state.Waiting.Reason = "PodInitializing"
	}
	c.recover(p.object)
	return c
}

// run is the pod's life.
func (p *pod) run() {
	if len(p.current().Status.ContainerStatuses) > 0 {
		// It was here before the node was started anew: what the API believes
		// of it, that it is ready above all, is no longer true.
		p.update(func() {})
	}
	p.live()
	p.rest()
	p.volumes.ended.Wait()
	if p.stopped.Err() == nil {
		p.update(func() { p.finished = true })
		p.release()
		<-p.stopped.Done()
	}
	p.finish()
}

// live runs the containers until all have ended for good or have to stop.
func (p *pod) live() {
	ctx, cancel := context.WithCancel(p.working)
	defer cancel()
	if seconds := p.current().Spec.ActiveDeadlineSeconds; seconds != nil {
		deadline := time.AfterFunc(time.Until(p.startTime.Add(time.Duration(*seconds)*time.Second)), func() {
			p.update(func() { p.failure = "DeadlineExceeded" })
			cancel()
		})
		defer deadline.Stop()
	}
	sidecars, stopSidecars := context.WithCancel(ctx)
	defer stopSidecars()
	var beside, running sync.WaitGroup
	initialized := true
	for _, c := range p.containers {
		switch c.kind {
		case sidecar:
			beside.Go(func() { c.run(sidecars) })
		case initContainer:
			if !p.hasEnded(c) {
				c.run(ctx)
			}
			initialized = initialized && p.hasSucceeded(c)
		case mainContainer:
			if initialized && ctx.Err() == nil && !p.hasEnded(c) {
				running.Go(func() { c.run(ctx) })
			}
		}
		if !initialized {
			break
		}
	}
	running.Wait()
	stopSidecars()
	beside.Wait()
}

func (p *pod) hasEnded(c *container) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.ended
}

func (p *pod) hasSucceeded(c *container) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.ended && c.succeeded()
}

// finish cleans up after the pod's processes have ended: it writes the last
// status and deletes the pod from the API, so that clients do not wait for the
// rest of the grace period. If the node stops, finish keeps the pod, because
// the node's next start resumes it.
func (p *pod) finish() {
	defer p.rt.forget(p)
	if p.rt.isClosing() {
		return
	}
	p.update(func() {
		for _, c := range p.containers {
			c.end()
		}
		p.finished = true
	})
	p.release()
	p.removeFiles()
	p.rt.deletePod(p.withStatus())
}

// release gives back what only a running pod needs.
func (p *pod) release() {
	p.mu.Lock()
	ports := p.ports
	p.ports = map[int32]int{}
	p.mu.Unlock()
	for _, local := range ports {
		p.rt.ports.Release(local)
	}
}

func (p *pod) removeFiles() {
	if err := os.RemoveAll(p.dir); err != nil {
		p.rt.logf("pod %s: removing its folder: %v", p.name(), err)
	}
	for _, c := range p.containers {
		p.rt.logs.Remove(p.logKey(c.name))
	}
}

// terminate asks the pod to end within grace. When it is called again, the
// shorter time counts.
func (p *pod) terminate(grace time.Duration) {
	p.mu.Lock()
	if p.killTimer == nil {
		p.grace = grace
		p.killTimer = time.AfterFunc(grace, func() { p.killed.Do(func() { close(p.kill) }) })
	} else if grace < p.grace {
		p.grace = grace
		p.killTimer.Reset(grace)
	}
	first := !p.stopping
	p.stopping = true
	hooks := slices.ContainsFunc(p.object.Spec.Containers, func(c corev1.Container) bool {
		return c.Lifecycle != nil && c.Lifecycle.PreStop != nil
	})
	p.mu.Unlock()
	if first && hooks && !p.rt.isClosing() {
		p.event(corev1.EventTypeWarning, "PreStopSkipped", "preStop hooks are not run by the virtual node")
	}
	p.stop()
}

// gracePeriod is how long a process has between SIGTERM and SIGKILL.
func (p *pod) gracePeriod() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return p.grace
	}
	return specGrace(p.object)
}

func specGrace(object *corev1.Pod) time.Duration {
	if seconds := object.Spec.TerminationGracePeriodSeconds; seconds != nil {
		return time.Duration(*seconds) * time.Second
	}
	return defaultGrace
}

// observe takes over what the API shows of the pod now.
func (p *pod) observe(object *corev1.Pod) {
	p.update(func() {
		old := p.object
		p.object = object
		for _, c := range p.containers {
			before, now := podspec.Container(old, c.name), podspec.Container(object, c.name)
			if before != nil && now != nil && before.Image != now.Image {
				notice(c.kick)
			}
		}
		if !maps.Equal(old.Labels, object.Labels) || !maps.Equal(old.Annotations, object.Annotations) {
			notice(p.volumes.poke)
		}
	})
}

func notice(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it knows already
	}
}

// update changes the pod's state and pushes the status if that changed it.
func (p *pod) update(change func()) {
	p.pushing.Lock()
	defer p.pushing.Unlock()
	p.mu.Lock()
	change()
	status := p.status()
	same := equality.Semantic.DeepEqual(status, p.pushed)
	p.pushed = status
	p.mu.Unlock()
	if !same && !p.rt.isClosing() {
		p.rt.notify(p.withStatus())
	}
}

// withStatus returns a copy of the pod with the status that the node gives it.
func (p *pod) withStatus() *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	object := *p.object
	object.Status = *p.pushed.DeepCopy()
	return &object
}

// current returns the pod as the API last showed it, with the addresses that
// the node gave it.
func (p *pod) current() *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	object := *p.object
	object.Status.PodIP, object.Status.HostIP = p.ip, hostIP
	return &object
}

// specs returns the specs of all containers.
func (p *pod) specs() []*corev1.Container {
	object := p.current()
	var list []*corev1.Container
	for _, c := range p.containers {
		list = append(list, podspec.Container(object, c.name))
	}
	return list
}

// localPort returns the local port of a container port. It stays the same
// when the container restarts, unless another process has taken it.
func (p *pod) localPort(port int32) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if local, ok := p.ports[port]; ok {
		if conns.Free(local) {
			return local, nil
		}
		p.rt.ports.Release(local)
		delete(p.ports, port)
	}
	local, err := p.rt.ports.Take()
	if err != nil {
		return 0, fmt.Errorf("container port %d: %w", port, err)
	}
	p.ports[port] = local
	return local, nil
}

// mappedPort returns the local port of a container port that has one.
func (p *pod) mappedPort(port int32) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	local, ok := p.ports[port]
	return local, ok
}

func (p *pod) name() string { return p.namespace + "/" + p.podName }

func (p *pod) logKey(container string) podlog.Key {
	return podlog.Key{Namespace: p.namespace, Pod: p.podName, Container: container}
}

// lastLines returns the end of a container's log, as a termination message.
func (p *pod) lastLines(container string) string {
	var out strings.Builder
	options := podlog.Options{Tail: 20}
	if err := p.rt.logs.Read(p.rt.ctx, p.logKey(container), options, &out, func() {}); err != nil {
		return ""
	}
	const longest = 2048
	text := out.String()
	return text[max(0, len(text)-longest):]
}

func (p *pod) event(kind, reason, message string) {
	p.rt.events.Event(p.current(), kind, reason, message)
}
