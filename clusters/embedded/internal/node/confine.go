package node

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/fence"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/podspec"
)

// rules says what a container's process may use: its program, the pod's own
// files, its own ports, the API server, and the cluster's proxy.
func (c *container) rules(object *corev1.Pod, spec *corev1.Container, mounts []podspec.Mount, image images.Image) *fence.Rules {
	p := c.pod
	own := fence.Rules{
		Read:    []string{p.dir, p.rt.caFile},
		Write:   []string{filepath.Join(p.dir, "tmp"), filepath.Join(p.dir, "home")},
		Connect: p.rt.reach,
		Outward: p.rt.outward,
		Pods:    filepath.Dir(p.rt.dir),
	}
	for _, m := range mounts {
		if writable(object, spec, m.Path) {
			own.Write = append(own.Write, m.Host)
		} else {
			own.Read = append(own.Read, m.Host)
		}
	}
	for _, port := range spec.Ports {
		if local, ok := p.mappedPort(port.ContainerPort); ok {
			own.Bind = append(own.Bind, local)
		}
	}
	own.Connect = append(slices.Clone(own.Connect), own.Bind...)
	all := fence.System().And(fence.Program(image.Binary), own)
	return &all
}

// writable reports whether what is mounted at a path is the container's to
// change. What the node makes from Secrets and ConfigMaps is not.
func writable(object *corev1.Pod, spec *corev1.Container, at string) bool {
	for _, m := range spec.VolumeMounts {
		if path.Clean(m.MountPath) != path.Clean(at) {
			continue
		}
		for _, v := range object.Spec.Volumes {
			if v.Name == m.Name {
				return !m.ReadOnly && (v.EmptyDir != nil || v.HostPath != nil || v.PersistentVolumeClaim != nil || v.Ephemeral != nil)
			}
		}
	}
	return false
}

// confine returns how to confine the container's own process; nil without a
// fence.
func (l launch) confine() func() error {
	if l.fence == nil {
		return nil
	}
	return l.fence.Confine
}

// confineBeside returns how to confine a command that runs beside the
// container: it has this machine's programs, and opens no ports.
func (l launch) confineBeside() func() error {
	if l.fence == nil {
		return nil
	}
	own := *l.fence
	own.Bind = nil
	return fence.Tools().And(own).Confine
}

// besideEnv is the environment of such a command: the container's, with the
// programs of this machine unless the pod names others.
func (l launch) besideEnv() []string {
	if slices.ContainsFunc(l.env, func(v string) bool { return strings.HasPrefix(v, "PATH=") }) {
		return l.env
	}
	return append(slices.Clone(l.env), "PATH="+l.tools)
}
