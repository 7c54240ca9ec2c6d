package node

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
)

const (
	// hostIP is the node's address, and that of all its pods' processes.
	hostIP = "127.0.0.1"
	// conditionSimulated marks pods of which not all containers really run.
	conditionSimulated corev1.PodConditionType = "fluxdemo.github.io/Simulated"
	reasonSimulated    string                  = "Simulated"
)

// status works out the pod's status from the state of its containers. It keeps
// what others have set: the QoS class, the scheduler's condition, readiness
// gates. The caller holds p.mu.
func (p *pod) status() corev1.PodStatus {
	s := *p.object.Status.DeepCopy()
	s.Phase = p.phase()
	s.Reason, s.Message = "", ""
	s.HostIP, s.HostIPs = hostIP, []corev1.HostIP{{IP: hostIP}}
	s.PodIP, s.PodIPs = p.ip, []corev1.PodIP{{IP: p.ip}}
	s.StartTime = p.startTime.DeepCopy()
	s.ObservedGeneration = p.object.Generation
	s.InitContainerStatuses, s.ContainerStatuses = nil, nil
	simulated, real := []string{}, 0
	for _, c := range p.containers {
		if c.simulated {
			simulated = append(simulated, images.Simulated(c.image))
		} else {
			real++
		}
		if c.kind == mainContainer {
			s.ContainerStatuses = append(s.ContainerStatuses, c.status())
		} else {
			s.InitContainerStatuses = append(s.InitContainerStatuses, c.status())
		}
	}
	s.EphemeralContainerStatuses = ephemeralStatuses(p.object, p.pushed.EphemeralContainerStatuses)
	s.Conditions = p.conditions(s.Phase)
	if len(simulated) > 0 {
		s.Message = strings.Join(simulated, "; ")
		if real == 0 {
			s.Reason = reasonSimulated
		}
	}
	if p.failure != "" {
		s.Reason, s.Message = p.failure, "Pod was active on the node longer than the specified deadline"
	}
	return s
}

func (c *container) status() corev1.ContainerStatus {
	started := c.started
	return corev1.ContainerStatus{
		Name: c.name, State: *c.state.DeepCopy(), LastTerminationState: *c.last.DeepCopy(),
		Ready: c.ready, Started: &started, RestartCount: c.restarts,
		Image: c.image, ImageID: c.imageID, ContainerID: c.id,
	}
}

func (p *pod) phase() corev1.PodPhase {
	started, ended, failed := false, true, p.failure != ""
	for _, c := range p.containers {
		switch c.kind {
		case initContainer:
			if c.ended && !c.succeeded() {
				// It has ended for good, so the main containers never start.
				if p.finished {
					return corev1.PodFailed
				}
				return corev1.PodPending
			}
		case mainContainer:
			started = started || c.runs > 0 || c.state.Running != nil || c.state.Terminated != nil
			ended = ended && c.ended
			failed = failed || c.state.Terminated != nil && c.state.Terminated.ExitCode != 0
		}
	}
	switch {
	case !started:
		return corev1.PodPending
	case !ended || !p.finished:
		return corev1.PodRunning
	case failed:
		return corev1.PodFailed
	}
	return corev1.PodSucceeded
}

// conditions returns the pod's conditions: those that the node is responsible
// for, brought up to date, and those of others as they are.
func (p *pod) conditions(phase corev1.PodPhase) []corev1.PodCondition {
	var unready, uninitialized, simulated []string
	created := true
	for _, c := range p.containers {
		switch {
		case c.kind == initContainer:
			if !c.ended || !c.succeeded() {
				uninitialized = append(uninitialized, c.name)
			}
		case !c.ready:
			unready = append(unready, c.name)
		}
		if c.state.Waiting != nil && c.runs == 0 && c.kind == mainContainer {
			created = false
		}
		if c.simulated {
			simulated = append(simulated, c.name)
		}
	}
	list := newConditions(p.object.Status.Conditions, p.pushed.Conditions)
	list.set(corev1.PodReadyToStartContainers, created || len(uninitialized) > 0, "", "")
	done := phase == corev1.PodSucceeded
	switch {
	case len(uninitialized) == 0:
		list.set(corev1.PodInitialized, true, completed(done), "")
	default:
		list.set(corev1.PodInitialized, false, "ContainersNotInitialized", "containers with incomplete status: ["+strings.Join(uninitialized, " ")+"]")
	}
	ready, reason, message := true, "", ""
	switch {
	case done || phase == corev1.PodFailed:
		ready, reason = false, "PodCompleted"
	case len(unready) > 0:
		ready, reason, message = false, "ContainersNotReady", "containers with unready status: ["+strings.Join(unready, " ")+"]"
	}
	list.set(corev1.ContainersReady, ready, reason, message)
	for _, gate := range p.object.Spec.ReadinessGates {
		if ready && !list.isTrue(gate.ConditionType) {
			ready, reason = false, "ReadinessGatesNotReady"
			message = fmt.Sprintf("the status of pod readiness gate %q is not \"True\"", gate.ConditionType)
		}
	}
	list.set(corev1.PodReady, ready, reason, message)
	if len(simulated) > 0 {
		list.set(conditionSimulated, true, reasonSimulated, "nothing runs for containers: ["+strings.Join(simulated, " ")+"]")
	} else if list.isTrue(conditionSimulated) {
		list.set(conditionSimulated, false, "", "")
	}
	// In a fixed order, whatever order the API has them in, so that a status is
	// only written when it says something new.
	slices.SortFunc(list.conditions, func(a, b corev1.PodCondition) int { return cmp.Compare(a.Type, b.Type) })
	return list.conditions
}

func completed(done bool) string {
	if done {
		return "PodCompleted"
	}
	return ""
}

// conditions is a list of conditions with the transition times of before.
type conditions struct{ conditions, before []corev1.PodCondition }

// newConditions starts from what the API holds. The node's own conditions may
// be newer in before, which it pushed and the API may not show yet.
func newConditions(api, before []corev1.PodCondition) *conditions {
	list := make([]corev1.PodCondition, len(api))
	copy(list, api)
	return &conditions{conditions: list, before: before}
}

func (l *conditions) set(kind corev1.PodConditionType, value bool, reason, message string) {
	status := corev1.ConditionFalse
	if value {
		status = corev1.ConditionTrue
	}
	next := corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
	for _, old := range l.before {
		if old.Type == kind && old.Status == status && !old.LastTransitionTime.IsZero() {
			next.LastTransitionTime = old.LastTransitionTime
		}
	}
	for i := range l.conditions {
		if l.conditions[i].Type == kind {
			next.ObservedGeneration = l.conditions[i].ObservedGeneration
			l.conditions[i] = next
			return
		}
	}
	l.conditions = append(l.conditions, next)
}

func (l *conditions) isTrue(kind corev1.PodConditionType) bool {
	for _, c := range l.conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// recover takes over the container's state from the pod's status, when the
// node is started anew and the pod was here before.
func (c *container) recover(object *corev1.Pod) {
	list := object.Status.ContainerStatuses
	if c.kind != mainContainer {
		list = object.Status.InitContainerStatuses
	}
	for _, s := range list {
		if s.Name != c.name {
			continue
		}
		c.restarts, c.last = s.RestartCount, s.LastTerminationState
		c.id, c.imageID = s.ContainerID, s.ImageID
		switch {
		case s.State.Running != nil && c.simulated:
			c.state = s.State
		case s.State.Running != nil:
			c.runs = 1
			c.last = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 137, Reason: "NodeRestarted", Message: "the process ended with the node's program",
				StartedAt: s.State.Running.StartedAt, FinishedAt: metav1.Now(), ContainerID: s.ContainerID,
			}}
		case s.State.Terminated != nil && (c.simulated || !c.restartsIn(object, s.State.Terminated.ExitCode)):
			c.state, c.ended = s.State, true
			c.runs = 1
		case s.State.Terminated != nil:
			c.runs, c.last = 1, s.State
		case s.LastTerminationState.Terminated != nil:
			c.runs = 1
		}
	}
}
