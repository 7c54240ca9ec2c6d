package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/walk"
	"github.com/fluxdemo/fluxdemo/demo/walk/builtin"
)

// guests are the walks that run on a cluster of others.
func guests(t *testing.T) (names []string) {
	t.Helper()
	all, err := builtin.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if walk.CheckGuest(append([]*walk.Walk{s.Walk}, s.Needs...)...) == nil {
			names = append(names, s.Walk.Name)
		}
	}
	return names
}

// TestBystanders puts a demo on a cluster on which much belongs to others,
// runs every verb and every walk there, crashes in each of their steps, and
// takes the demo away. Nothing of others is changed by that.
func TestBystanders(t *testing.T) {
	host := newHost(t)
	furnish(t, host)
	d := guestOf(t, host)
	before := bystanders(t, host)
	compare := func(t *testing.T) { t.Helper(); unharmed(t, host, before) }

	if r := d.fluxdemo("up"); r.code != exitFailure || !strings.Contains(r.stderr, "--adopt-flux") {
		t.Fatalf("up beside another Flux: %v", r)
	}
	d.upArgs = append(d.upArgs, "--adopt-flux")
	d.sub(t, "a name that is taken", func(t *testing.T) {
		host.kubectl(t, "-n", "flux-system", "create", "secret", "generic", "webhook-token", "--from-literal=token=theirs")
		if r := d.fluxdemo("up"); r.code != exitFailure || !strings.Contains(r.stderr, "flux-system secret/webhook-token") {
			t.Errorf("%v", r)
		}
		host.kubectl(t, "-n", "flux-system", "delete", "secret", "webhook-token")
		if _, err := os.Stat(d.cluster()); !os.IsNotExist(err) {
			t.Errorf("it has left %s: %v", d.cluster(), err)
		}
		compare(t)
	})
	d.sub(t, "up, with a crash after each step", func(t *testing.T) {
		crash(t, d, "up", "Looking at the cluster", "Port forwarding", "Flux ", "Git host and inbox", "First push", "GitRepository and Kustomizations")
		d.must(t, "up")
		await(t, healTime, "all is well", d.healthy)
		compare(t)
	})
	if t.Failed() {
		return
	}
	for _, namespace := range []string{"flux-system", "fluxdemo", "app", "playground"} {
		host.apply(t, fmt.Sprintf(squatter, namespace))
		host.kubectl(t, "-n", namespace, "wait", "deployment/theirs", "--for=jsonpath={.status.observedGeneration}=1", "--timeout=60s")
	}
	theirs := func(o string) bool {
		return strings.Contains(o, `"name":"theirs"`)
	}
	for uid, o := range bystanders(t, host) {
		if theirs(o) {
			before[uid] = o
		}
	}
	d.sub(t, "verbs", func(t *testing.T) {
		diagram := filepath.Join(d.work(), "web.mmd")
		if err := os.WriteFile(diagram, []byte("flowchart LR\n  db[(Database)] --> web[Web]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"up"}, {"status"}, {"env"}, {"logs"}, {"doctor"}, {"version"}, {"clone", filepath.Join(d.work(), "clone")}, {"shard", "list"},
			{"diagram", "run", diagram}, {"diagram", "clean"}, {"reset"}, {"down", "--keep-data"}, {"up"},
		} {
			d.must(t, args...)
		}
		for _, args := range [][]string{
			{"shard", "add", "shard1"}, {"shard", "remove", "theirs"}, {"shard", "move", "kustomization/heavy", "main"},
			{"bench", "sharding", "--sizes=1", "--report=" + d.work()}, {"walk", "multi-tenancy", "--auto"}, {"walk", "sharding", "--auto"},
		} {
			if r := d.fluxdemo(args...); r.code == 0 || !strings.Contains(r.stderr, "--name own") || strings.Count(strings.TrimSpace(r.stderr), "\n") > 0 {
				t.Errorf("that is for a cluster of its own: %v", r)
			}
		}
		if r := d.run(nil, all.program, "reset", "--name="+d.name); r.code != exitUsage || !strings.Contains(r.stderr, "--yes") {
			t.Errorf("reset does not ask: %v", r)
		}
		compare(t)
	})
	d.sub(t, "reset, with a crash after each step", func(t *testing.T) {
		d.kubectl(t, "-n", "app", "scale", "deployment", "app", "--replicas=3")
		crash(t, d, "reset", "What is not in Git", "The fleet's beginning", "GitRepository and Kustomizations")
		if r := d.fluxdemo("reset"); r.code != 0 || !strings.Contains(r.stderr, "app deployment/theirs") {
			t.Errorf("reset does not name what it leaves: %v", r)
		}
		await(t, healTime, "all is well", d.healthy)
		compare(t)
	})
	d.sub(t, "a namesake in a walk's way", func(t *testing.T) {
		host.kubectl(t, "-n", "app", "create", "configmap", "guest", "--from-literal=value=theirs")
		if r := d.fluxdemo("walk", "drift", "--auto"); r.code != exitFailure || !strings.Contains(r.stdout+r.stderr, `configmaps "guest" already exists`) {
			t.Errorf("%v", r)
		}
		if value := host.kubectl(t, "-n", "app", "get", "configmap", "guest", "-o", "jsonpath={.data.value}"); value != "theirs" {
			t.Errorf("it is now %q", value)
		}
		host.kubectl(t, "-n", "app", "delete", "configmap", "guest")
	})
	d.sub(t, "every walk, with a crash in each step", func(t *testing.T) {
		for _, name := range guests(t) {
			crashWalk(t, d, name)
		}
		compare(t)
	})
	d.sub(t, "down, with crashes", func(t *testing.T) {
		killWhileGoing(t, host, d, "flux-system", "kustomization/apps")
		killWhileGoing(t, host, d, "app", "deployment/app")
		r := d.fluxdemo("down")
		if r.code != 0 {
			t.Fatal(r)
		}
		for _, namespace := range []string{"fluxdemo", "app", "playground"} {
			if !strings.Contains(r.stderr, "namespace/"+namespace+": it holds what is not the demo's") {
				t.Errorf("the namespace %s is not named: %v", namespace, r)
			}
		}
		compare(t)
		for _, o := range bystanders(t, host) {
			left := strings.Contains(o, `"fluxdemo.github.io/name"`) || strings.Contains(o, `"kustomize.toolkit.fluxcd.io/name":"apps"`) ||
				strings.Contains(o, `"kustomize.toolkit.fluxcd.io/name":"flux-system"`)
			if left && !strings.Contains(o, `"kind":"Namespace"`) {
				t.Errorf("it has left %s", o)
			}
		}
		if _, err := os.Stat(d.cluster()); !os.IsNotExist(err) {
			t.Errorf("it has left %s: %v", d.cluster(), err)
		}
	})
}

// crashWalk tells a walk with a crash in each of its steps: each process
// finishes the step that the one before it was killed in, and the last one
// ends the walk.
func crashWalk(t *testing.T, d *testDemo, name string) {
	t.Helper()
	chain, err := builtin.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range chain.Walk.Steps {
		ctx, cancel := context.WithTimeout(context.Background(), commandTime)
		cmd := d.command(ctx, nil, all.program, "walk", name, "--plain", "--name="+d.name)
		keys, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			fmt.Fprintln(keys) // what the last one was killed in
		}
		fmt.Fprintln(keys)
		said := killIn(t, cmd, fmt.Sprintf("%d/%d %s", i+1, len(chain.Walk.Steps), step.Title))
		cancel()
		if t.Failed() {
			t.Fatalf("walk %s, step %d:\n%s", name, i+1, said)
		}
	}
	r := d.run(nil, "/bin/sh", "-c", fmt.Sprintf(`printf '\n\n\n' | fluxdemo walk %s --plain --name=%s`, name, d.name))
	if r.code != 0 || !strings.Contains(r.stdout, "✓ Cleanup") {
		t.Fatal(r)
	}
}

// killIn kills a walk when it types the first command of the step with that
// heading, and returns what it has said until then.
func killIn(t *testing.T, cmd *exec.Cmd, heading string) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	inStep, killed := false, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		inStep = inStep || lines.Text() == heading
		if inStep && strings.HasPrefix(strings.TrimSpace(lines.Text()), "$ ") {
			killed = true
			_ = cmd.Process.Kill() // it is still there: its output is open
		}
	}
	_ = cmd.Wait()
	if !killed {
		t.Errorf("it never came to %q", heading)
	}
	return said.String()
}

// killWhileGoing kills down while it waits for an object on the host to go. A
// finalizer holds the object until then, or down might be done before.
func killWhileGoing(t *testing.T, host, d *testDemo, namespace, name string) {
	t.Helper()
	finalizers := func(list string) {
		t.Helper()
		host.kubectl(t, "-n", namespace, "patch", name, "--type=merge", "-p", `{"metadata":{"finalizers":`+list+`}}`)
	}
	finalizers(`["example.com/hold"]`)
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := d.command(ctx, nil, all.program, "down", "--yes", "--name="+d.name)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	going := host.kube("-n", namespace, "wait", "--for=jsonpath={.metadata.deletionTimestamp}", name, "--timeout=60s")
	err := cmd.Process.Kill()
	_ = cmd.Wait()
	if going.code != 0 || err != nil {
		t.Fatalf("killing down while %s goes: %v, %v", name, going, err)
	}
	finalizers("null")
	host.kubectl(t, "-n", namespace, "wait", "--for=delete", name, "--timeout=60s")
	if _, err := os.Stat(d.cluster()); err != nil {
		t.Fatalf("down was done before it was killed: %v", err)
	}
}

// crash runs a verb as often as it has these steps, and kills it after each. After the last one it only looks whether
// the app answers: it may have ended well before it can be killed.
func crash(t *testing.T, d *testDemo, verb string, steps ...string) {
	t.Helper()
	const killed = -1 // as os.ProcessState has it
	for i, step := range steps {
		r := watched(t, d, []string{verb}, "✓ "+step, func(p *os.Process) error {
			if err := p.Kill(); !errors.Is(err, os.ErrProcessDone) {
				return err
			}
			return nil
		})
		endedWell := i == len(steps)-1 && r.code == 0
		if r.code != killed && !endedWell {
			t.Errorf("it was not killed after %q: %v", step, r)
		}
	}
}
