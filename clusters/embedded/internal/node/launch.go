package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/probe"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
)

// ContainerVariable marks all processes of a container, and those that they
// start: its value is a path below Config.Dir/pods.
const ContainerVariable = process.MarkVariable

// EndLeftovers kills the processes of a node's containers, whose node has Dir
// and runs no more. A node that was killed took its children along, but not
// what these had started.
func EndLeftovers(dir string) {
	process.EndMarked(ContainerVariable, filepath.Join(dir, "pods"))
}

// mark is the value of ContainerVariable.
func (c *container) mark() string { return filepath.Join(c.pod.dir, c.name) }

// buildRetry is the wait after something failed that no watch can announce
// the end of, such as a full disk.
const buildRetry = 5 * time.Second

// prepare works out what to start. While something that the container needs
// is missing it waits for it, and says so in the container's status.
func (c *container) prepare(ctx context.Context, spec *corev1.Container, image images.Image) (launch, error) {
	reported := ""
	for {
		changed, err := c.pod.volumes.state()
		reason := "ContainerCreating" // the volumes tell their own events
		if err == nil {
			var result launch
			if result, err = c.build(spec, image); err == nil {
				return result, nil
			}
			reason = "CreateContainerError"
			if podspec.IsMissing(err) {
				reason = "CreateContainerConfigError"
			}
			if reported != err.Error() {
				reported = err.Error()
				c.pod.event(corev1.EventTypeWarning, "Failed", "Error: "+reported)
			}
		}
		if !errors.Is(err, errPreparing) {
			c.pod.update(func() { c.wait(reason, err.Error()) })
		}
		retry := time.NewTimer(buildRetry)
		select {
		case <-changed:
		case <-retry.C:
		case <-c.kick:
			err = errImageChanged
		case <-ctx.Done():
			err = ctx.Err()
		}
		retry.Stop()
		if ctx.Err() != nil || errors.Is(err, errImageChanged) {
			return launch{}, err
		}
	}
}

// build works out the process of a known image from the container's spec.
func (c *container) build(spec *corev1.Container, image images.Image) (launch, error) {
	p := c.pod
	object := p.current()
	own, err := podspec.Variables(object, spec, p.volumes.find, p.rt.machine)
	if err != nil {
		return launch{}, err
	}
	hostPaths := p.volumes.hostPaths()
	list, err := podspec.MountsOf(spec, hostPaths, own.Values)
	if err != nil {
		return launch{}, err
	}
	if !mountsPath(list, "/tmp") {
		list = append(list, podspec.Mount{Path: "/tmp", Host: filepath.Join(p.dir, "tmp")})
	}
	ms := podspec.NewMounts(list)
	temporary, _ := ms.Resolve("/tmp")
	home := filepath.Join(p.dir, "home")

	// Nothing of this machine but its programs, and what the pod asks for.
	env := podspec.NewEnvironment()
	tools := environ.Base(os.Environ()).Get("PATH")
	if !p.rt.fenced { // where it may run nothing but itself, as from its image, it finds nothing either
		env.Set("PATH", tools)
	}
	env.Set("HOME", home)
	env.Set("TMPDIR", temporary)
	env.Set("HOSTNAME", object.Name)
	kubeconfig := filepath.Join(p.dir, "kubeconfig-"+spec.Name)
	hasCredentials, err := podspec.WriteKubeconfig(kubeconfig, p.rt.server, p.rt.caFile, object, spec, hostPaths)
	if err != nil {
		return launch{}, err
	}
	if hasCredentials {
		env.Set("KUBECONFIG", kubeconfig)
	}
	for _, variable := range p.rt.env {
		env.SetPair(variable)
	}
	for _, name := range own.Names {
		env.Set(name, ms.Rewrite(own.Values[name]))
	}
	env.Set(ContainerVariable, c.mark())

	args, err := image.Arguments(spec)
	if err != nil {
		return launch{}, err
	}
	if err := image.Refuse(podspec.ExpandAll(args, own.Values), own.Names); err != nil {
		return launch{}, err
	}
	args = append(ms.RewriteAll(podspec.ExpandAll(args, own.Values)), image.Append...)
	for _, port := range spec.Ports {
		local, err := p.localPort(port.ContainerPort)
		if err != nil {
			return launch{}, err
		}
		if flag, ok := image.PortFlags[port.Name]; ok {
			args = append(args, fmt.Sprintf("%s=127.0.0.1:%d", flag, local))
		}
	}
	dir := home
	if spec.WorkingDir != "" {
		if mounted, ok := ms.Resolve(spec.WorkingDir); ok {
			dir = mounted
		}
	}
	l := launch{path: image.Binary, args: args, env: env.List(), dir: dir, values: own.Values, mounts: ms, tools: tools}
	if p.rt.fenced {
		l.fence = c.rules(object, spec, list, image)
	}
	return l, nil
}

func mountsPath(list []podspec.Mount, path string) bool {
	for _, m := range list {
		if m.Path == path {
			return true
		}
	}
	return false
}

// probe runs the container's probes until ctx ends. unwell is called when a
// failure asks for a restart.
func (c *container) probe(ctx context.Context, spec *corev1.Container, image images.Image, l launch, unwell func(error)) {
	target := probe.Target{
		Spec: spec, Binary: image.Binary, Rewrite: l.mounts.RewriteAll, Local: c.pod.mappedPort,
		Run: func(ctx context.Context, command []string) error {
			return probe.Run(ctx, process.Spec{Path: command[0], Args: command[1:], Env: l.besideEnv(), Dir: l.dir, Confine: l.confineBeside()})
		},
	}
	failed := func(kind string) func(error) {
		return func(err error) {
			c.pod.event(corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("%s probe failed: %v", kind, err))
		}
	}
	if spec.StartupProbe != nil {
		ask, s := c.check(target, "Startup", spec.StartupProbe)
		if err := probe.UntilWell(ctx, s, time.Now().Add(s.Allowed()), ask, failed("Startup")); err != nil {
			unwell(fmt.Errorf("failed startup probe: %w", err))
			return
		}
		if ctx.Err() != nil {
			return
		}
		c.pod.update(func() { c.started, c.ready = true, spec.ReadinessProbe == nil })
	}
	if spec.LivenessProbe != nil {
		ask, s := c.check(target, "Liveness", spec.LivenessProbe)
		go func() {
			if !backoff.Pause(ctx, s.InitialDelay) {
				return
			}
			if err := probe.WhileWell(ctx, s, ask, failed("Liveness")); err != nil {
				unwell(fmt.Errorf("failed liveness probe: %w", err))
			}
		}()
	}
	if spec.ReadinessProbe == nil {
		return
	}
	ask, s := c.check(target, "Readiness", spec.ReadinessProbe)
	for ctx.Err() == nil {
		_ = probe.UntilWell(ctx, s, time.Time{}, ask, failed("Readiness")) // without a deadline it only ends well
		c.setReady(ctx, true)
		_ = probe.WhileWell(ctx, s, ask, failed("Readiness")) // each failure has been reported
		c.setReady(ctx, false)
	}
}

// setReady records what the readiness probe found, unless the process it
// asked is no longer the one that runs.
func (c *container) setReady(ctx context.Context, ready bool) {
	c.pod.update(func() {
		if ctx.Err() == nil {
			c.ready = ready
		}
	})
}

// check returns how to ask, and when. A probe that this node cannot do counts
// as passed, and an event says so.
func (c *container) check(target probe.Target, kind string, p *corev1.Probe) (probe.Check, probe.Schedule) {
	ask, err := probe.New(target, p.ProbeHandler)
	if err != nil && errors.Is(err, probe.ErrUnsupported) {
		c.pod.event(corev1.EventTypeWarning, "ProbeSkipped", fmt.Sprintf("%s probe of container %s counts as passed: %v", kind, c.name, err))
		ask = func(context.Context) error { return nil }
	} else if err != nil {
		ask = func(context.Context) error { return err }
	}
	return c.recorded(ask), probe.ScheduleOf(p)
}
