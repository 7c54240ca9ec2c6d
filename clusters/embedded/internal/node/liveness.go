package node

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/probe"
)

// Name names a container of a pod.
type Name struct{ Namespace, Pod, Container string }

// Name returns the container's name.
func (p PodProcess) Name() Name { return Name{p.Namespace, p.Pod, p.Container} }

// Heartbeat returns when the API last took a heartbeat of the node.
func (n *Node) Heartbeat() time.Time { return n.registered.Renewed() }

// Silent asks all containers that have a probe, now, and returns those that
// give no answer within limit, with when they answered last (zero: never). One
// that answers that it is not well is not silent: its pod is not ready, and says
// so.
func (n *Node) Silent(ctx context.Context, limit time.Duration) map[Name]time.Time {
	silent := map[Name]time.Time{}
	for _, c := range n.silent(ctx, limit) {
		c.pod.mu.Lock()
		silent[c.fullName()] = c.answered
		c.pod.mu.Unlock()
	}
	return silent
}

// RestartSilent ends the processes of the containers that Silent returns, so
// that they start again, and names their pods.
func (n *Node) RestartSilent(ctx context.Context, limit time.Duration) []string {
	var names []string
	for _, c := range n.silent(ctx, limit) {
		notice(c.hung)
		names = append(names, c.pod.name())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (n *Node) silent(ctx context.Context, limit time.Duration) []*container {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var mu sync.Mutex
	var silent []*container
	var group sync.WaitGroup
	for _, p := range n.runtime.all() {
		for _, c := range p.containers {
			ask := c.asked()
			if ask == nil {
				continue
			}
			group.Go(func() {
				if err := ask(ctx); err != nil && ctx.Err() == context.DeadlineExceeded {
					mu.Lock()
					defer mu.Unlock()
					silent = append(silent, c)
				}
			})
		}
	}
	group.Wait()
	return silent
}

// asked returns how to ask the running process; nil if there is no way.
func (c *container) asked() probe.Check {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	if c.process == nil {
		return nil
	}
	return c.ask
}

// recorded is a check that keeps when it last succeeded, and that Silent may
// use too.
func (c *container) recorded(ask probe.Check) probe.Check {
	recording := func(ctx context.Context) error {
		err := ask(ctx)
		if err == nil {
			c.pod.mu.Lock()
			defer c.pod.mu.Unlock()
			c.answered = time.Now()
		}
		return err
	}
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	c.ask = recording
	return recording
}

func (c *container) fullName() Name { return Name{c.pod.namespace, c.pod.podName, c.name} }

// endHung ends a process that does not answer: it will not hear a request to
// end either.
func (c *container) endHung(end func()) {
	c.pod.event(corev1.EventTypeWarning, "Killing", "Container "+c.name+" does not answer, will be restarted")
	end()
}
