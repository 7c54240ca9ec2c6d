//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = 30 * time.Second // dockerd needs 1 to 2 s
	stopTime  = 30 * time.Second
)

// engine is a dockerd of our own.
type engine struct {
	dir  string // images, containers, log; goes when the engine goes
	run  string // socket and what else lives as long as the process
	name string // of the network namespace
}

// open returns the engine of dir, which need not run. Each folder has an
// engine of its own, so that two checkouts do not meet.
func open(dir string) (*engine, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// Not in dir: the path of a socket must fit in 108 bytes.
	name := fmt.Sprintf("fluxdemo-%x", sha256.Sum256([]byte(dir)))[:len("fluxdemo-")+8]
	return &engine{dir: dir, run: filepath.Join("/run", name), name: name}, nil
}

func (e *engine) socket() string    { return filepath.Join(e.run, "docker.sock") }
func (e *engine) host() string      { return "unix://" + e.socket() }
func (e *engine) pidFile() string   { return filepath.Join(e.run, "dockerd.pid") }
func (e *engine) namespace() string { return filepath.Join("/run/netns", e.name) }
func (e *engine) log() string       { return filepath.Join(e.dir, "dockerd.log") }

// describe prints what a shell needs to reach the engine.
func (e *engine) describe(out io.Writer) {
	fmt.Fprintf(out, "export DOCKER_HOST=%s\n# its containers' ports: nsenter --net=%s COMMAND\n", e.host(), e.namespace())
}

// answers reports whether the engine takes orders.
func (e *engine) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", e.socket())
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// start starts the engine unless it runs.
func (e *engine) start(ctx context.Context) (fresh bool, err error) {
	if e.answers(ctx) {
		return false, nil
	}
	if os.Geteuid() != 0 {
		return false, errors.New("starting a container engine requires root; become root, or start Docker and add yourself to its group")
	}
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		return false, errors.New("dockerd not found; `hack/deps.sh dockerd:docker.io iptables` installs Debian's")
	}
	for _, dir := range []string{e.dir, e.run} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return false, err
		}
	}
	if err := saveSysctls(e.sysctls()); err != nil {
		return false, err
	}
	args := []string{
		"--host=" + e.host(), "--data-root=" + filepath.Join(e.dir, "data"),
		"--exec-root=" + filepath.Join(e.run, "exec"), "--pidfile=" + e.pidFile(),
	}
	runtime, err := e.runtime()
	if err != nil {
		return false, err
	}
	log, err := os.Create(e.log())
	if err != nil {
		return false, err
	}
	defer log.Close()
	cmd := exec.Command(dockerd, append(args, runtime...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := startIn(e.namespace(), cmd); err != nil {
		return false, fmt.Errorf("starting dockerd: %w", err)
	}
	if err := e.await(ctx, cmd); err != nil {
		return false, errors.Join(err, e.stop(context.WithoutCancel(ctx), io.Discard))
	}
	return true, nil
}

// await returns when the engine that cmd runs answers.
func (e *engine) await(ctx context.Context, cmd *exec.Cmd) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("dockerd has ended: %w; its output:\n%s", err, tail(e.log()))
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %w; its output:\n%s", ctx.Err(), tail(e.log()))
		case <-tick.C:
			if e.answers(ctx) {
				return nil
			}
		}
	}
}

// tail returns the last lines of a log.
func tail(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// exec replaces this process by a command that reaches the engine and the
// ports that its containers publish.
func (e *engine) exec(ctx context.Context, args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	env := os.Environ()
	if e.answers(ctx) {
		if err := enter(e.namespace()); err != nil {
			return err
		}
		env = append(env, "DOCKER_HOST="+e.host())
	} else if !othersAnswer(ctx) {
		return errors.New("no engine is running; start one with `engine up`")
	}
	return fmt.Errorf("starting %s: %w", path, syscall.Exec(path, args, env))
}

// pid is the process of the engine, or 0.
func (e *engine) pid() int {
	raw, err := os.ReadFile(e.pidFile())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0
	}
	// The number may be another's by now.
	if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err != nil || strings.TrimSpace(string(comm)) != "dockerd" {
		return 0
	}
	return pid
}

// stop ends the engine with its containers and removes what belongs to it,
// also what an engine that was killed has left.
func (e *engine) stop(ctx context.Context, errOut io.Writer) error {
	if _, err := os.Stat(e.run); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(e.dir); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(errOut, "engine: nothing to stop: `engine up` has not started an engine")
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if e.answers(ctx) {
		if err := e.removeContainers(ctx); err != nil {
			fmt.Fprintf(errOut, "engine: %v\n", err) // dockerd will kill them
		}
	}
	if err := e.end(ctx); err != nil {
		return err
	}
	return errors.Join(
		unmountBelow(e.dir), unmountBelow(e.run), removeNamespace(e.namespace()),
		restoreSysctls(e.sysctls()), removeCgroups(), os.RemoveAll(e.run), os.RemoveAll(e.dir),
	)
}

// end ends dockerd, and with it whatever runs in its containers.
func (e *engine) end(ctx context.Context) error {
	pid := e.pid()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending dockerd (%d): %w", pid, err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for e.pid() == pid { // it is not a child of this process, so poll
		select {
		case <-ctx.Done():
			return fmt.Errorf("dockerd (%d) does not end: %w", pid, ctx.Err())
		case <-tick.C:
			if err := e.thaw(); err != nil {
				return err
			}
		}
	}
	return nil
}

// restart ends the engine and starts it again, as an update of it does. Its
// containers are there afterwards, and stopped.
func (e *engine) restart(ctx context.Context) error {
	if !e.answers(ctx) {
		return errors.New("no engine to restart: `engine up` has not started one")
	}
	ending, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := e.end(ending); err != nil {
		return err
	}
	_, err := e.start(ctx)
	return err
}

func (e *engine) removeContainers(ctx context.Context) error {
	docker := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "docker", args...)
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+e.host())
		return cmd.Output()
	}
	raw, err := docker("ps", "--all", "--quiet")
	if err != nil {
		return fmt.Errorf("listing containers: %w", err)
	}
	ids := strings.Fields(string(raw))
	if len(ids) == 0 {
		return nil
	}
	if _, err := docker(append([]string{"rm", "--force", "--volumes"}, ids...)...); err != nil {
		return fmt.Errorf("removing containers: %w", err)
	}
	return nil
}
