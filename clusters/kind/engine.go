package kind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
)

// answerTime is how long a container engine may take to say that it is there.
const answerTime = 2 * time.Second

// engineVar names the environment variable by which kind's users choose an
// engine.
const engineVar = "KIND_EXPERIMENTAL_PROVIDER"

// engine is a container engine. kind's library does most of the work; this
// asks what the library does not tell: whether the engine answers, which
// images it has, in which state containers are, and where their ports are.
//
// The library runs the same command by itself, with this process's own
// environment, which it offers no way to choose. That holds no secret of
// fluxdemo's by then: the entry point takes them out. The user's proxies go
// into the nodes as kind means them to, with NO_PROXY completed.
type engine struct {
	cli     string // the command: docker, podman, or nerdctl, which share these subcommands
	version string
}

// asks lists the engines as kind looks for them, and how each is asked
// whether it runs, and not only whether its command is installed.
func asks() []struct {
	cli  string
	args []string
} {
	return []struct {
		cli  string
		args []string
	}{
		{"docker", []string{"version", "--format", "{{.Server.Version}}"}},
		{"nerdctl", []string{"info", "--format", "{{.ServerVersion}}"}},
		{"podman", []string{"info", "--format", "{{.Version.Version}}"}},
	}
}

// findEngine returns the first engine that answers within two seconds, or
// the one that $KIND_EXPERIMENTAL_PROVIDER names.
func findEngine(ctx context.Context) (engine, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	only := os.Getenv(engineVar)
	var silent error // why none answers
	for _, ask := range asks() {
		if only != "" && only != ask.cli {
			continue
		}
		if _, err := exec.LookPath(ask.cli); err != nil {
			continue
		}
		e := engine{cli: ask.cli}
		version, err := e.run(ctx, ask.args...)
		if err == nil {
			e.version = strings.TrimSpace(version)
			return e, nil
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("not within %s", answerTime)
		}
		err = fmt.Errorf("%s does not answer: %w", ask.cli, err)
		if silent != nil {
			err = fmt.Errorf("%w; %w", silent, err)
		}
		silent = err
	}
	switch {
	case silent != nil:
		return engine{}, fmt.Errorf("%w; start it, and check that you may use it (for docker, be in the group docker)", silent)
	case only != "":
		return engine{}, fmt.Errorf("%s=%s: command not found; install it, or use one of docker, nerdctl, podman", engineVar, only)
	default:
		return engine{}, errors.New("no container engine found; install docker, podman, or nerdctl")
	}
}

// provider makes kind use this engine.
func (e engine) provider() cluster.ProviderOption {
	switch e.cli {
	case "podman":
		return cluster.ProviderWithPodman()
	case "nerdctl":
		return cluster.ProviderWithNerdctl(e.cli)
	default:
		return cluster.ProviderWithDocker()
	}
}

// run runs a command of the engine and returns what it writes. Its error is
// what it says, in one line.
func (e engine) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, e.cli, args...)
	cmd.Env = environ.Engine(os.Environ())
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if err == nil {
		return out.String(), nil
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if said := lastLine(errOut.String()); said != "" {
		return "", errors.New(said)
	}
	return "", err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// hasImage reports whether the engine has an image.
func (e engine) hasImage(ctx context.Context, image string) bool {
	_, err := e.run(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	return err == nil
}

// pull gets an image from its registry.
func (e engine) pull(ctx context.Context, image string) error {
	if _, err := e.run(ctx, "pull", image); err != nil {
		return fmt.Errorf("pulling the node image %s: %w; choose an image that you have with --node-image", image, err)
	}
	return nil
}

// node is a container that is a node of a kind cluster, as `inspect` has it.
type node struct {
	Name  string
	State struct {
		Status    string // running, exited, created, ...
		StartedAt time.Time
	}
	Config struct{ Labels map[string]string }
	Mounts []struct{ Source, Destination string }

	NetworkSettings struct {
		Ports map[string][]struct{ HostIp, HostPort string } //nolint:staticcheck // the engines' spelling
	}
}

const (
	clusterLabel = "io.x-k8s.kind.cluster"
	roleLabel    = "io.x-k8s.kind.role"
)

func (n node) running() bool { return n.State.Status == "running" }

// controlPlane reports whether the node runs an API server.
func (n node) controlPlane() bool { return n.Config.Labels[roleLabel] == "control-plane" }

// nodes lists the containers that kind has labelled with a cluster's name,
// running or not, in the order of their names.
func (e engine) nodes(ctx context.Context, name string) ([]node, error) {
	ids, err := e.run(ctx, "ps", "-a", "-q", "--filter", "label="+clusterLabel+"="+name)
	if err != nil {
		return nil, fmt.Errorf("listing the cluster's nodes with %s: %w", e.cli, err)
	}
	if len(strings.Fields(ids)) == 0 {
		return nil, nil
	}
	raw, err := e.run(ctx, append([]string{"inspect", "--type=container"}, strings.Fields(ids)...)...)
	if err != nil {
		return nil, fmt.Errorf("listing the cluster's nodes with %s: %w", e.cli, err)
	}
	var nodes []node
	if err := json.Unmarshal([]byte(raw), &nodes); err != nil {
		return nil, fmt.Errorf("reading the list of the cluster's nodes from %s: %w", e.cli, err)
	}
	for i := range nodes {
		nodes[i].Name = strings.TrimPrefix(nodes[i].Name, "/")
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	return nodes, nil
}

// start starts nodes that are stopped.
func (e engine) start(ctx context.Context, nodes []node) error {
	args := []string{"start"}
	for _, n := range nodes {
		if !n.running() {
			args = append(args, n.Name)
		}
	}
	if _, err := e.run(ctx, args...); err != nil {
		return fmt.Errorf("starting the cluster's nodes: %w", err)
	}
	return nil
}

// calmTime is how long a node may take to end what it has begun.
const calmTime = 5 * time.Second

// calm has the nodes start no more containers, and waits until those that are
// on the way are there. With cgroup v1, a container that is being started
// while its node is killed may stay frozen, and then not even the engine can
// remove the node. A shell cannot wait for a process that is not its child:
// it looks again.
func (e engine) calm(ctx context.Context, nodes []node) {
	e.within(ctx, nodes, fmt.Sprintf("systemctl stop kubelet; timeout %.0f bash -c 'while grep -qsx runc /proc/[0-9]*/comm; do sleep 0.1; done'", calmTime.Seconds()))
}

// wake undoes calm: the nodes may have been left like that.
func (e engine) wake(ctx context.Context, nodes []node) {
	e.within(ctx, nodes, "systemctl start kubelet")
}

// within runs a script in all nodes that run. It is for precautions: a node
// that does not listen is dealt with all the same.
func (e engine) within(ctx context.Context, nodes []node, script string) {
	ctx, cancel := context.WithTimeout(ctx, 2*calmTime)
	defer cancel()
	var group sync.WaitGroup
	for _, n := range nodes {
		if n.running() {
			group.Go(func() { _, _ = e.run(ctx, "exec", n.Name, "bash", "-c", script) })
		}
	}
	group.Wait()
}

// stop stops nodes and keeps what is in them.
func (e engine) stop(ctx context.Context, nodes []node) error {
	args := []string{"stop"}
	for _, n := range nodes {
		args = append(args, n.Name)
	}
	if _, err := e.run(ctx, args...); err != nil {
		return fmt.Errorf("stopping the cluster's nodes: %w", err)
	}
	return nil
}

// hostPort returns where a TCP port of a node answers on this machine.
func (n node) hostPort(port int32) (address string, ok bool) {
	for _, at := range n.NetworkSettings.Ports[fmt.Sprintf("%d/tcp", port)] {
		if at.HostPort != "" && at.HostPort != "0" {
			return "127.0.0.1:" + at.HostPort, true
		}
	}
	return "", false
}
