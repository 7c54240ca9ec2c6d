package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/images"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/internal/node/stream"
	"github.com/fluxdemo/fluxdemo/clusters/embedded/process"
)

// exec runs a command beside a container's process: with its environment, its
// working directory and its mounted paths, but with the host's programs and
// files.
func (k *kubelet) exec(ctx context.Context, namespace, podName, containerName string, command []string, client stream.Client) error {
	c, err := k.running(namespace, podName, containerName)
	if err != nil {
		return err
	}
	if len(command) == 0 {
		return errors.New("running a command in the pod: the command is missing")
	}
	l, p := c.running()
	if p == nil {
		return notRunning(containerName)
	}
	command, remove, err := stream.Archive(command, c.pod.dir, l.mounts.Resolve, l.mounts.RewriteAll)
	if err != nil {
		return fmt.Errorf("preparing the command: %w", err)
	}
	defer remove()
	if filepath.Base(command[0]) == filepath.Base(l.path) && !strings.Contains(command[0], "/") {
		command[0] = l.path // the container's own program needs no PATH
	}
	return stream.Exec(ctx, stream.Command{Args: command, Env: l.besideEnv(), Dir: l.dir, Until: p.Done(), Started: c.beside, Confine: l.confineBeside()}, client)
}

// attach joins a client with the standard input and output of a container.
func (k *kubelet) attach(ctx context.Context, namespace, podName, containerName string, client stream.Client) error {
	c, err := k.running(namespace, podName, containerName)
	if err != nil {
		return err
	}
	c.pod.mu.Lock()
	console := c.console
	c.pod.mu.Unlock()
	if console == nil {
		return notRunning(containerName)
	}
	return console.Attach(ctx, client)
}

// refuse returns why the container that a request names takes no clients.
func (k *kubelet) refuse(r *http.Request) error {
	_, err := k.running(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"))
	return err
}

// running returns a container whose process runs.
func (k *kubelet) running(namespace, podName, containerName string) (*container, error) {
	p := k.runtime.byName(namespace, podName)
	if p == nil {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), podName)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.containers {
		switch {
		case c.name != containerName:
		case c.simulated:
			return nil, apierrors.NewBadRequest(images.Simulated(c.image))
		case c.process == nil:
			return nil, notRunning(containerName)
		default:
			return c, nil
		}
	}
	for _, c := range p.object.Spec.EphemeralContainers {
		if c.Name == containerName {
			return nil, apierrors.NewBadRequest(ephemeralMessage(p.object, c))
		}
	}
	return nil, apierrors.NewBadRequest(fmt.Sprintf("pod %s/%s has no container %q", namespace, podName, containerName))
}

func notRunning(container string) error {
	return apierrors.NewBadRequest(fmt.Sprintf("container %q is not running", container))
}

// running returns the container's process, and how it was started.
func (c *container) running() (launch, *process.Process) {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	return c.launch, c.process
}

// beside counts a process as the container's until the result is called.
func (c *container) beside(p *process.Process) (ended func()) {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	if c.execs == nil {
		c.execs = map[*process.Process]bool{}
	}
	c.execs[p] = true
	return func() {
		c.pod.mu.Lock()
		defer c.pod.mu.Unlock()
		delete(c.execs, p)
	}
}

// portForward joins a stream with a container's port.
func (k *kubelet) portForward(ctx context.Context, namespace, podName string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	p := k.runtime.byName(namespace, podName)
	if p == nil {
		return fmt.Errorf("pod %s/%s does not run on the virtual node", namespace, podName)
	}
	local, ok := p.mappedPort(port)
	if !ok {
		return fmt.Errorf("pod %s/%s does not listen on port %d: the virtual node cannot reach simulated containers and undeclared ports", namespace, podName, port)
	}
	dialer := net.Dialer{Timeout: requestTimeout}
	conn, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(local)))
	if err != nil {
		return fmt.Errorf("reaching port %d of pod %s/%s: %w", port, namespace, podName, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	go func() {
		_, _ = io.Copy(conn, stream)
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}()
	_, err = io.Copy(stream, conn)
	return err
}
