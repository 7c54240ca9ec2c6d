package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/kind"
)

// engineVar names the environment variable with the command of hack/engine, if
// the container engine was started by it, so that a test may restart it.
const engineVar = "FLUXDEMO_TEST_ENGINE"

// TestKind breaks a kind cluster in all ways that a container engine knows:
// the next up makes it work, or says in one line why it cannot.
func TestKind(t *testing.T) { t.Run("heals", kindHeals) }

func kindHeals(t *testing.T) {
	d := kindDemo(t)
	docker := func(t *testing.T, args ...string) string {
		t.Helper()
		r := d.run(nil, "docker", args...)
		if r.code != 0 {
			t.Fatal(r)
		}
		return strings.TrimSpace(r.stdout)
	}
	nodes := func(t *testing.T, name string) []string {
		t.Helper()
		return strings.Fields(docker(t, "ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster="+name))
	}
	oneLine := func(t *testing.T, r result, says string) {
		t.Helper()
		lines := slices.DeleteFunc(strings.Split(strings.TrimSpace(r.stderr), "\n"), func(line string) bool {
			return !strings.HasPrefix(line, "fluxdemo: ")
		})
		if r.code != exitFailure || len(lines) != 1 || !strings.Contains(lines[0], says) {
			t.Errorf("want one line with %q: %v", says, r)
		}
		if left := nodes(t, d.name); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}

	// Before there is a cluster.
	if os.Getuid() == 0 {
		d.sub(t, "an engine that one may not use", func(t *testing.T) {
			const nobody = 65534
			other := ownDemo(t, as(nobody), func(o *testDemo) { o.kind, o.name, o.upArgs = d.kind, d.name, d.upArgs })
			other.bundle = readable(t, other)
			oneLine(t, other.fluxdemo("up"), "group docker")
		})
		d.sub(t, "a full disk", func(t *testing.T) {
			if err := syscall.Mount("none", d.state(), "tmpfs", 0, "size=64k"); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := syscall.Unmount(d.state(), syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			}()
			if err := exec.Command("sh", "-c", `cat /dev/zero > "$0" || true`, d.state()+"/full").Run(); err != nil {
				t.Fatal(err)
			}
			oneLine(t, d.fluxdemo("up"), "no space left")
		})
	}

	heals := func(t *testing.T) {
		t.Helper()
		if r := d.fluxdemo("status"); r.code != exitFailure {
			t.Errorf("status does not see it: %v", r)
		}
		d.must(t, "up")
		await(t, healTime, "all is well", d.healthy)
	}
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	await(t, healTime, "all is well", d.healthy)
	d.kubectl(t, "create", "configmap", "mine")
	d.sub(t, "the node is killed", func(t *testing.T) {
		docker(t, append([]string{"kill"}, nodes(t, d.name)...)...)
		heals(t)
		d.kubectl(t, "get", "configmap", "mine")
	})
	d.sub(t, "the engine is restarted", func(t *testing.T) {
		command := strings.Fields(os.Getenv(engineVar))
		if len(command) == 0 {
			t.Skipf("the container engine is not ours to restart: %s is not set", engineVar)
		}
		// It outlives the demo's folder, and what is found in that is ended.
		restart := exec.Command(command[0], append(command[1:], "restart")...)
		restart.Dir, restart.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
		if out, err := restart.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		heals(t)
		d.kubectl(t, "get", "configmap", "mine")
	})
	d.sub(t, "another one beside it", func(t *testing.T) {
		other := kindDemo(t)
		if err := other.start(); err != nil {
			t.Fatal(err)
		}
		await(t, healTime, "the other one is well", other.healthy)
		await(t, healTime, "all is well", d.healthy)
		other.must(t, "down")
		if left := nodes(t, other.name); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		await(t, healTime, "all is well", d.healthy)
	})
	d.sub(t, "removed behind our back", func(t *testing.T) {
		docker(t, append([]string{"rm", "--force", "--volumes"}, nodes(t, d.name)...)...)
		heals(t)
		if r := d.kube("get", "configmap", "mine"); r.code == 0 {
			t.Error("it is the old cluster")
		}
	})
	d.sub(t, "the name again, for another kind", func(t *testing.T) {
		r := d.run(nil, all.program, "up", "--name="+d.name, "--cluster=embedded")
		if r.code != exitUsage || !strings.Contains(r.stderr, "is a cluster of the provider "+kind.Provider) {
			t.Errorf("%v", r)
		}
		await(t, healTime, "all is well", d.healthy)
	})
}
