package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node/api"
	utilexec "k8s.io/utils/exec"
)

// exec runs a command beside a container's process: with its environment, its
// working directory and its mounted paths, but with the host's programs and
// files. A terminal is not emulated: -t works as a plain pipe.
func (k *kubelet) exec(ctx context.Context, namespace, podName, containerName string, command []string, attach api.AttachIO) error {
	l, err := k.running(namespace, podName, containerName)
	if err != nil {
		return err
	}
	if len(command) == 0 {
		return errors.New("no command was given")
	}
	command = l.mounts.RewriteAll(command)
	if filepath.Base(command[0]) == filepath.Base(l.path) && !strings.Contains(command[0], "/") {
		command[0] = l.path // the container's own program needs no PATH
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env, cmd.Dir = l.env, l.dir
	// Whatever the command starts has to end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	// These are typed nils if they are not wanted, which exec.Cmd cannot know.
	if out := attach.Stdout(); out != nil {
		cmd.Stdout = out
		cmd.Stderr = out
	}
	if out := attach.Stderr(); out != nil && !attach.TTY() {
		cmd.Stderr = out
	}
	if in := attach.Stdin(); in != nil {
		// Not cmd.Stdin: Wait would wait for a reader that never ends.
		pipe, err := cmd.StdinPipe()
		if err != nil {
			return fmt.Errorf("opening standard input: %w", err)
		}
		go func() {
			_, _ = io.Copy(pipe, in)
			pipe.Close()
		}()
	}
	err = cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return utilexec.CodeExitError{Err: err, Code: exitCode(failed)}
	}
	if err != nil {
		return fmt.Errorf("running %s (it has to be a program of this machine): %w", command[0], err)
	}
	return nil
}

func exitCode(failed *exec.ExitError) int {
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return failed.ExitCode()
}

// running returns how a running container's process was started.
func (k *kubelet) running(namespace, podName, containerName string) (launch, error) {
	p := k.runtime.byName(namespace, podName)
	if p == nil {
		return launch{}, fmt.Errorf("pod %s/%s does not run on this node", namespace, podName)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.containers {
		switch {
		case c.name != containerName:
		case c.simulated:
			return launch{}, errors.New(simulatedMessage(c.image))
		case c.process == nil:
			return launch{}, fmt.Errorf("container %q is not running", containerName)
		default:
			return c.launch, nil
		}
	}
	return launch{}, fmt.Errorf("pod %s/%s has no container %q", namespace, podName, containerName)
}

// portForward joins a stream with a container's port.
func (k *kubelet) portForward(ctx context.Context, namespace, podName string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	p := k.runtime.byName(namespace, podName)
	if p == nil {
		return fmt.Errorf("pod %s/%s does not run on this node", namespace, podName)
	}
	local, ok := p.mappedPort(port)
	if !ok {
		return fmt.Errorf("pod %s/%s does not listen on port %d: simulated containers and undeclared ports cannot be reached", namespace, podName, port)
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
