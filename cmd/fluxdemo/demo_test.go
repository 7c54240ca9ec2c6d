package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/embedded"
	"github.com/fluxdemo/fluxdemo/clusters/existing"
	"github.com/fluxdemo/fluxdemo/demo/health"
)

// usersKubeconfig is what a user had before; nothing may write to it.
const usersKubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: mine\n"

// Deadlines. They are long for a laptop, because several builds may run
// beside the tests; whoever wants to know how fast it is runs hack/bench.
const (
	commandTime = 5 * time.Minute
	healTime    = time.Minute
	// The supervisor tells down that all is gone, and only then ends itself.
	lastGasp = 2 * time.Second
)

// testDemo is one user's machine: a home, state, cache, and the cluster in it.
type testDemo struct {
	dir    string
	name   string // of the cluster
	kind   string // of the cluster
	upArgs []string
	bundle *bundle.Bundle
	user   *syscall.Credential // nil for whoever runs the tests
	logged bool                // the logs were printed for a subtest that failed
}

func (s *suite) newDemo(name string, b *bundle.Bundle, options ...func(*testDemo)) (*testDemo, error) {
	d := &testDemo{dir: filepath.Join(s.root, name), name: "fluxdemo", kind: embedded.Provider, bundle: b}
	for _, option := range options {
		option(d)
	}
	for _, dir := range []string{d.home(), filepath.Join(d.home(), ".kube"), d.state(), d.cache(), d.work()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(d.usersKubeconfig(), []byte(usersKubeconfig), 0o644); err != nil {
		return nil, err
	}
	if err := d.own(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.demos = append(s.demos, d)
	return d, nil
}

// in gives the demo's folder a name of its own.
func in(name string) func(*testDemo) {
	return func(d *testDemo) { d.dir = filepath.Join(filepath.Dir(d.dir), name) }
}

// as makes another user of the machine own everything and run the commands.
func as(id uint32) func(*testDemo) {
	return func(d *testDemo) { d.user = &syscall.Credential{Uid: id, Gid: id} }
}

func (d *testDemo) own() error {
	if d.user == nil {
		return nil
	}
	return filepath.WalkDir(d.dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(d.user.Uid), int(d.user.Gid)))
	})
}

func (d *testDemo) home() string            { return filepath.Join(d.dir, "home") }
func (d *testDemo) state() string           { return filepath.Join(d.dir, "state") }
func (d *testDemo) cache() string           { return filepath.Join(d.dir, "cache") }
func (d *testDemo) work() string            { return filepath.Join(d.dir, "work") }
func (d *testDemo) usersKubeconfig() string { return filepath.Join(d.home(), ".kube", "config") }
func (d *testDemo) cluster() string         { return filepath.Join(d.state(), "fluxdemo", d.name) }
func (d *testDemo) kubeconfig() string      { return filepath.Join(d.cluster(), "kubeconfig") }

// env is the whole environment of a command: nothing of the tester's own,
// but where the container engine is.
func (d *testDemo) env() []string {
	env := []string{
		"PATH=" + filepath.Dir(all.program) + ":" + os.Getenv("PATH"),
		"HOME=" + d.home(), "TMPDIR=" + d.work(), "LANG=C.UTF-8",
		"XDG_STATE_HOME=" + d.state(), "XDG_CACHE_HOME=" + d.cache(),
		"KUBECONFIG=" + d.usersKubeconfig(), // as users have it who work with other clusters
		bundle.EnvVar + "=" + d.bundle.Dir,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONFIG", "CONTAINER_HOST", "KIND_EXPERIMENTAL_PROVIDER"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// result is how a command went.
type result struct {
	line           string
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("%s\nexit code %d\n%s%s", r.line, r.code, r.stdout, r.stderr)
}

func (r result) err() error {
	if r.code == 0 {
		return nil
	}
	return errors.New(r.String())
}

// command prepares a program to run in the demo's work folder. Its context
// ends it, since nothing may wait forever.
func (d *testDemo) command(ctx context.Context, env []string, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(d.env(), env...)
	cmd.Dir = d.work()
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: d.user}
	return cmd
}

func (d *testDemo) run(env []string, program string, args ...string) result {
	return d.runIn(append(d.env(), env...), program, args...)
}

// runIn runs a program with an environment that is given completely.
func (d *testDemo) runIn(env []string, program string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := d.command(ctx, nil, program, args...)
	cmd.Env = env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{filepath.Base(program) + " " + strings.Join(args, " "), cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if err != nil && (r.code <= 0 || ctx.Err() != nil) {
		r.code, r.stderr = -1, r.stderr+fmt.Sprintf("%v (%v)\n", err, ctx.Err())
	}
	return r
}

// fluxdemo runs a verb on the demo's cluster, whatever comes of it.
func (d *testDemo) fluxdemo(args ...string) result {
	return d.run(nil, all.program, d.named(args)...)
}

// named adds which cluster is meant. Only up needs to hear its kind.
func (d *testDemo) named(args []string) []string {
	if d.name != "fluxdemo" {
		args = append(args, "--name="+d.name)
	}
	if args[0] == "up" {
		args = append(args, "--cluster="+d.kind)
		args = append(args, d.upArgs...)
	}
	if (args[0] == "down" || args[0] == "reset") && d.kind == existing.Provider {
		args = append(args, "--yes")
	}
	return args
}

// must runs a verb that has to work and returns its output.
func (d *testDemo) must(t *testing.T, args ...string) string {
	t.Helper()
	r := d.fluxdemo(args...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return r.stdout
}

// start brings the cluster up.
func (d *testDemo) start() error { return d.fluxdemo("up").err() }

// kube runs kubectl, whatever comes of it.
func (d *testDemo) kube(args ...string) result {
	// The bundle's binary is what its name says, as with busybox.
	link := filepath.Join(d.work(), "kubectl")
	if err := os.Symlink(d.bundle.Path("kube"), link); err != nil && !errors.Is(err, os.ErrExist) {
		return result{line: "kubectl", code: -1, stderr: err.Error()}
	}
	return d.run([]string{"KUBECONFIG=" + d.kubeconfig()}, link, args...)
}

// kubectl runs kubectl, which has to work, and returns its output.
func (d *testDemo) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	r := d.kube(args...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return strings.TrimSuffix(r.stdout, "\n")
}

// git runs git in a working copy; it has to work.
func (d *testDemo) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	r := d.run(nil, all.git, append([]string{"-C", dir}, args...)...)
	if r.code != 0 {
		t.Fatal(r)
	}
	return strings.TrimSpace(r.stdout)
}

// status asks for the demo's status; the exit code has to agree with it.
func (d *testDemo) status() (health.Status, error) {
	var s health.Status
	r := d.fluxdemo("status", "-o", "json")
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil {
		return s, fmt.Errorf("%v: %w", r, err)
	}
	if s.Healthy() != (r.code == 0) {
		return s, fmt.Errorf("the exit code does not tell how it is: %v", r)
	}
	return s, nil
}

// healthy returns an error unless all is well.
func (d *testDemo) healthy() error {
	s, err := d.status()
	if err == nil && !s.Healthy() {
		err = fmt.Errorf("%+v", s)
	}
	return err
}

// component finds a part by its name or the start of it.
func component(s health.Status, name string) (clusters.Component, error) {
	for _, part := range s.Cluster.Components {
		if part.Name == name || part.Namespace != "" && strings.HasPrefix(part.Name, name+"-") {
			return part, nil
		}
	}
	return clusters.Component{}, fmt.Errorf("no component %s", name)
}

// pid is the process of a component.
func (d *testDemo) pid(t *testing.T, name string) int {
	t.Helper()
	pid, err := d.findPID(name)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// findPID is as pid, where there may be no process.
func (d *testDemo) findPID(name string) (int, error) {
	s, err := d.status()
	if err != nil {
		return 0, err
	}
	part, err := component(s, name)
	if err == nil && part.PID == 0 {
		err = fmt.Errorf("%s has no process: %+v", name, part)
	}
	return part.PID, err
}

// kill ends a component's process as a crash would.
func (d *testDemo) kill(t *testing.T, name string) (pid int) {
	t.Helper()
	pid = d.pid(t, name)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill -9 %d (%s): %v", pid, name, err)
	}
	return pid
}

// remove takes down the cluster, and by force what that leaves: a failed
// test must not trouble the next one.
func (d *testDemo) remove() error {
	if _, err := os.Stat(d.cluster()); err == nil {
		if err := d.fluxdemo("down").err(); err != nil {
			for _, p := range processesIn(d.dir) {
				_ = syscall.Kill(p.pid, syscall.SIGKILL) // may be gone by now
			}
			return fmt.Errorf("removing a cluster after its test: %w", err)
		}
	}
	for _, p := range processesIn(d.dir) {
		_ = syscall.Kill(p.pid, syscall.SIGKILL) // may be gone by now
	}
	return nil
}

// logsOnFailure prints the ends of all logs if the test fails, unless one of
// its subtests has.
func (d *testDemo) logsOnFailure(t *testing.T) {
	d.logged = false
	t.Cleanup(func() {
		if !t.Failed() || d.logged {
			return
		}
		d.logged = true
		t.Log(d.fluxdemo("status", "-o", "wide"))
		for _, pattern := range []string{"logs/*.log", "logs/pods/*.log"} {
			files, _ := filepath.Glob(filepath.Join(d.cluster(), pattern))
			for _, file := range files {
				end := clusters.LogError{Log: file}
				end.ReadTail()
				t.Logf("the end of %s:\n%s", filepath.Base(file), end.Tail)
			}
		}
	})
}

// sub runs a subtest on the demo that prints the logs if it fails.
func (d *testDemo) sub(t *testing.T, name string, test func(t *testing.T)) bool {
	t.Helper()
	logged := d.logged
	ok := t.Run(name, func(t *testing.T) {
		d.logsOnFailure(t)
		test(t)
	})
	d.logged = d.logged || logged
	return ok
}

// await calls try until it does not fail any more. It is for states of
// processes, files and pages, which nobody can watch.
func await(t *testing.T, deadline time.Duration, what string, try func() error) {
	t.Helper()
	limit := time.NewTimer(deadline)
	defer limit.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-limit.C:
			t.Fatalf("not within %s: %s: %v", deadline, what, err)
		case <-tick.C:
		}
	}
}
