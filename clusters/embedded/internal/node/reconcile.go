package node

import (
	"bytes"
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// settleTime is how long the API may take to show what the node has just
// written, before a difference counts as another program's change.
const settleTime = time.Second

// compare looks whether the API shows the node's part of the pod's status as
// the node means it. Others change it too: the node lifecycle controller marks
// the pods of a node that did not answer for 40 s as not ready, and leaves it
// to the node to say otherwise.
func (p *pod) compare() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.shownAsMeant():
		p.correction.Reset()
	case !p.comparing:
		p.comparing = true
		time.AfterFunc(p.correction.Next(), p.correct)
	}
}

// shownAsMeant compares the node's part of the status. The caller holds p.mu.
func (p *pod) shownAsMeant() bool {
	meant := *p.object
	meant.Status = p.pushed
	shown, err := statusPatch(p.object)
	if err != nil {
		return true // nothing to compare with; to write it would fail too
	}
	want, err := statusPatch(&meant)
	return err != nil || bytes.Equal(shown, want)
}

// correct writes the status as the node means it, if the API still shows it
// otherwise.
func (p *pod) correct() {
	p.mu.Lock()
	p.comparing = false
	fine := p.shownAsMeant()
	p.mu.Unlock()
	if fine || p.rt.isClosing() || p.rt.ctx.Err() != nil {
		return
	}
	p.rt.woken()
	ctx, cancel := context.WithTimeout(p.rt.ctx, requestTimeout)
	defer cancel()
	_, err := writeStatus(ctx, p.rt.api.Pods(p.namespace), p.withStatus())
	if err == nil || apierrors.IsNotFound(err) {
		return // the watch shows what has become of it
	}
	p.rt.logf("pod %s: correcting its status: %v", p.name(), err)
	p.compare()
}

// ownConditions are the conditions that the node sets, by their order in a
// patch: the API keeps an order of its own.
func ownConditions() []corev1.PodConditionType {
	return []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, conditionSimulated}
}
