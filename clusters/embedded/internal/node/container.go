package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/fence"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/probe"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/pull"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/stream"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// containerKind is when a container runs in its pod's life.
type containerKind int

const (
	mainContainer containerKind = iota
	initContainer               // to its end, before the main ones
	sidecar                     // an init container that stays (restartPolicy: Always)
)

// container is one container of a pod: a process that is started again as the
// restart policy says, or a simulation.
type container struct {
	pod  *pod
	name string
	kind containerKind
	kick chan struct{} // holds a value when the image has changed
	hung chan struct{} // holds a value when the process does not answer

	// Guarded by pod.mu.
	state, last    corev1.ContainerState
	image, imageID string
	id             string
	runs, restarts int32
	started, ready bool
	simulated      bool
	ended          bool // for good
	process        *process.Process
	console        *stream.Console
	launch         launch
	ask            probe.Check               // whether the process answers; nil: it has no probe
	answered       time.Time                 // when it did last
	execs          map[*process.Process]bool // commands that run beside it
}

// launch is what a container's process was started with; exec uses it too.
type launch struct {
	path string
	args []string
	env  []string
	dir  string

	values map[string]string // the container's own variables, for $(VAR)
	mounts podspec.Mounts
	fence  *fence.Rules // nil: none
	tools  string       // PATH of commands beside it
}

// outcome is how one run of a container ended.
type outcome struct {
	code    int32
	ran     time.Duration
	changed bool // it was stopped because its image changed
}

// run runs the container until ctx ends or it has ended for good.
func (c *container) run(ctx context.Context) {
	// A process that lived for a minute is not in a crash loop.
	restarts := backoff.Restarts{Backoff: backoff.Backoff{Min: time.Second, Max: 5 * time.Minute}, Lasting: time.Minute}
	for ctx.Err() == nil {
		select {
		case <-c.kick: // the spec that is read next has that change
		default:
		}
		spec := c.spec()
		image, known := images.Find(c.pod.rt.images, spec.Image)
		if !known {
			if c.simulate(ctx, spec) {
				continue
			}
			return
		}
		if err := images.Missing(c.pod.rt.images, spec.Image); err != nil {
			if !c.notPulled(ctx, spec, err) {
				break
			}
			continue
		}
		result, err := c.once(ctx, spec, image)
		if ctx.Err() != nil {
			break
		}
		if err != nil { // the image changed before there was anything to run
			continue
		}
		if result.changed {
			continue
		}
		if !c.restartsAfter(result.code) {
			break
		}
		if wait := restarts.Next(result.ran); wait > 0 && !c.waitForRestart(ctx, wait) {
			break
		}
	}
	c.pod.update(func() { c.end() })
}

// restartsAfter says whether the restart policy wants the container again.
func (c *container) restartsAfter(code int32) bool {
	return c.restartsIn(c.pod.current(), code)
}

func (c *container) restartsIn(object *corev1.Pod, code int32) bool {
	policy := object.Spec.RestartPolicy
	switch c.kind {
	case sidecar:
		return true
	case initContainer:
		return code != 0 && policy != corev1.RestartPolicyNever
	}
	return policy != corev1.RestartPolicyNever && (code != 0 || policy != corev1.RestartPolicyOnFailure)
}

// waitForRestart waits for the back-off to pass. It reports false if ctx
// ended first.
func (c *container) waitForRestart(ctx context.Context, wait time.Duration) bool {
	message := fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", wait, c.name, c.pod.current().Name)
	c.pod.update(func() { c.wait("CrashLoopBackOff", message) })
	c.pod.event(corev1.EventTypeWarning, "BackOff", message)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.kick:
	case <-ctx.Done():
		return false
	}
	return true
}

// notPulled shows an image that the node has not, until the container has
// another one. It reports false if ctx ended first.
func (c *container) notPulled(ctx context.Context, spec *corev1.Container, err error) bool {
	failure := pull.Failure{Reference: spec.Image, Policy: spec.ImagePullPolicy, Err: err, Event: c.pod.event, Waiting: func(reason, message string) {
		c.pod.update(func() {
			c.image, c.imageID, c.simulated, c.started, c.ready = spec.Image, "", false, false, false
			c.wait(reason, message)
		})
	}}
	return failure.Show(ctx, c.kick)
}

// simulatedRun is how long a simulated container runs in a pod that is to end.
const simulatedRun = time.Second

// simulate pretends that the container runs, and ends after a moment if the
// pod is one that is to end, as a Job's. It returns true when the image has
// changed, and false when the container has ended.
func (c *container) simulate(ctx context.Context, spec *corev1.Container) bool {
	c.pod.update(func() {
		c.image, c.imageID, c.id = spec.Image, "", "simulated://"+string(c.pod.uid)+"/"+c.name
		c.simulated = true
		if c.kind == initContainer {
			c.end()
			return
		}
		if c.state.Running == nil { // after a restart of the node it goes on
			c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		}
		c.started, c.ready = true, true
	})
	if c.kind == initContainer {
		return false
	}
	var done <-chan time.Time
	if policy := c.pod.current().Spec.RestartPolicy; c.kind == mainContainer && (policy == corev1.RestartPolicyNever || policy == corev1.RestartPolicyOnFailure) {
		timer := time.NewTimer(simulatedRun)
		defer timer.Stop()
		done = timer.C
	}
	select {
	case <-c.kick:
		return true
	case <-done:
		c.pod.event(corev1.EventTypeNormal, reasonSimulated, fmt.Sprintf("Container %s counts as completed; %s", c.name, images.Simulated(spec.Image)))
	case <-ctx.Done():
	}
	c.pod.update(func() { c.end() })
	return false
}

// expendable is how readily the kernel ends a pod's process when memory runs
// out: before the control plane, which the pods come back from.
const expendable = 500

var errImageChanged = errors.New("the container's image has changed")

// once runs the container's process one time, until it ends.
func (c *container) once(ctx context.Context, spec *corev1.Container, image images.Image) (outcome, error) {
	prepared, err := c.prepare(ctx, spec, image)
	if err != nil {
		return outcome{}, err
	}
	key := c.pod.logKey(c.name)
	log, err := c.pod.rt.logs.Create(key)
	if err != nil {
		return c.notStarted(spec, image, err), nil
	}
	defer func() { _ = log.Close() }()
	console := stream.NewConsole(stream.ConsoleOptions{Stdin: spec.Stdin, Once: spec.StdinOnce, TTY: spec.TTY}, log)
	p, err := console.Start(process.Spec{Path: prepared.path, Args: prepared.args, Env: prepared.env, Dir: prepared.dir, Confine: prepared.confine(), Expendable: expendable})
	if err != nil {
		return c.notStarted(spec, image, err), nil
	}
	probing, stopProbes := context.WithCancel(ctx)
	defer stopProbes()
	unwell := make(chan error, 2)
	c.pod.update(func() { c.begin(p, console, spec, image, prepared) })
	c.pod.event(corev1.EventTypeNormal, "Started", fmt.Sprintf("Started container %s as process %d", c.name, p.Pid()))
	go c.probe(probing, spec, image, prepared, func(err error) { unwell <- err })

	changed := false
	select {
	case <-p.Done():
	case <-ctx.Done():
		c.stop(p, c.pod.gracePeriod())
	case <-c.kick:
		changed = true
		c.stop(p, c.pod.gracePeriod())
	case <-c.hung:
		c.endHung(func() { p.Stop(0) })
	case err := <-unwell:
		c.pod.event(corev1.EventTypeWarning, "Killing", fmt.Sprintf("Container %s %v, will be restarted", c.name, err))
		c.stop(p, c.pod.gracePeriod())
	}
	stopProbes()
	exit := p.Exit()
	process.EndMarked(ContainerVariable, c.mark()) // what it started, and what was started beside it
	console.Finish()
	_ = log.Close()
	c.pod.update(func() { c.exited(p, exit, spec) })
	return outcome{code: int32(exit.Code), ran: exit.At.Sub(p.Started()), changed: changed}, nil
}

// stop ends the process within grace, or as soon as the pod's own time is up.
func (c *container) stop(p *process.Process, grace time.Duration) {
	go p.Stop(grace)
	select {
	case <-p.Done():
	case <-c.pod.kill:
		p.Stop(0)
	}
}

// notStarted records that the process could not be started at all.
func (c *container) notStarted(spec *corev1.Container, image images.Image, err error) outcome {
	c.pod.rt.logf("pod %s: container %s: %v", c.pod.name(), c.name, err)
	c.pod.event(corev1.EventTypeWarning, "Failed", "Error: "+err.Error())
	now := metav1.Now()
	c.pod.update(func() {
		c.countRun()
		c.image, c.imageID, c.simulated, c.started, c.ready = spec.Image, "process://"+image.Binary, false, false, false
		c.state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: now, FinishedAt: now,
		}}
	})
	return outcome{code: 128}
}

// The following change the container's state. The caller holds pod.mu.

// countRun moves the state of the run before out of the way of a new one.
func (c *container) countRun() {
	if c.state.Terminated != nil {
		c.last = c.state
	}
	if c.runs > 0 {
		c.restarts++
	}
	c.runs++
}

func (c *container) begin(p *process.Process, console *stream.Console, spec *corev1.Container, image images.Image, l launch) {
	c.countRun()
	c.process, c.console, c.launch = p, console, l
	c.image, c.imageID, c.id = spec.Image, "process://"+image.Binary, "process://"+strconv.Itoa(p.Pid())
	c.simulated = false
	c.started = spec.StartupProbe == nil
	c.ready = c.started && spec.ReadinessProbe == nil
	c.state = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(p.Started())}}
}

func (c *container) exited(p *process.Process, exit process.Exit, spec *corev1.Container) {
	terminated := &corev1.ContainerStateTerminated{
		ExitCode: int32(exit.Code), Reason: "Completed",
		StartedAt: metav1.NewTime(p.Started()), FinishedAt: metav1.NewTime(exit.At), ContainerID: c.id,
	}
	if exit.Code != 0 {
		terminated.Reason = "Error"
		if exit.Signal != nil {
			terminated.Message = exit.String()
		}
		if spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
			terminated.Message = c.pod.lastLines(c.name)
		}
	}
	c.process, c.console, c.ask, c.started, c.ready = nil, nil, nil, false, false
	c.state = corev1.ContainerState{Terminated: terminated}
}

// wait sets a waiting state. How the last run ended stays to be seen.
func (c *container) wait(reason, message string) {
	if c.state.Terminated != nil {
		c.last = c.state
	}
	c.state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// end sets the state of a container that will not run any more.
func (c *container) end() {
	c.ended, c.ready = true, c.kind == initContainer && (c.simulated || c.succeeded())
	if c.state.Terminated != nil {
		return
	}
	if c.last.Terminated != nil && c.state.Waiting != nil {
		c.state = c.last
		return
	}
	now := metav1.Now()
	terminated := &corev1.ContainerStateTerminated{
		ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "the container was not started", FinishedAt: now,
	}
	if c.simulated {
		terminated = &corev1.ContainerStateTerminated{
			Reason: "Completed", Message: images.Simulated(c.image), StartedAt: now, FinishedAt: now, ContainerID: c.id,
		}
		if c.state.Running != nil {
			terminated.StartedAt = c.state.Running.StartedAt
		}
	}
	c.started = false
	c.state = corev1.ContainerState{Terminated: terminated}
}

func (c *container) succeeded() bool {
	return c.state.Terminated != nil && c.state.Terminated.ExitCode == 0
}

// spec returns the container's spec as the API last showed it.
func (c *container) spec() *corev1.Container {
	return podspec.Container(c.pod.current(), c.name)
}
