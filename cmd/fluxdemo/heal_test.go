package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
)

// TestHeal kills each process of the cluster, one after the other.
func TestHeal(t *testing.T) {
	d := sharedDemo(t)
	for _, name := range parts() {
		if name == "supervisor" {
			continue // its end is the end of the cluster: see TestSupervisorKilled
		}
		d.sub(t, name, func(t *testing.T) {
			start := time.Now()
			pid := d.kill(t, name)
			if r := d.fluxdemo("up"); r.code != 0 {
				t.Errorf("up just after the crash: %v", r)
			}
			await(t, healTime, name+" runs again and all is well", func() error {
				s, err := d.status()
				if err != nil {
					return err
				}
				part, err := component(s, name)
				if err != nil {
					return err
				}
				if part.PID == pid || part.PID == 0 {
					return fmt.Errorf("it is %+v", part)
				}
				if part.Restarts == 0 {
					t.Errorf("nobody counted the restart: %+v", part)
				}
				return d.healthy()
			})
			t.Logf("healed after %.1f s", time.Since(start).Seconds())
		})
	}
	d.sub(t, "the walk after all that", func(t *testing.T) { d.must(t, "walk", "gitops", "--auto") })
}

// TestHealDuringWalk kills a process while the walk pushes, just after it
// has said what it is about to do.
func TestHealDuringWalk(t *testing.T) {
	d := sharedDemo(t)
	for _, name := range []string{"etcd", "kube-apiserver", "source-controller", "kustomize-controller", "notification-controller", "git", "inbox"} {
		d.sub(t, name, func(t *testing.T) {
			before := tree(t, d)
			victim := d.pid(t, name)
			r := watched(t, d, []string{"walk", "gitops", "--auto"}, "Change the colour", func(*os.Process) error {
				return syscall.Kill(victim, syscall.SIGKILL)
			})
			if r.code != 0 {
				t.Error(r)
			}
			await(t, healTime, "all is well", d.healthy)
			if now := d.pid(t, name); now == victim {
				t.Errorf("%s is still process %d", name, now)
			}
			if after := tree(t, d); after != before {
				t.Errorf("the repository holds %s after the walk, %s before", after, before)
			}
		})
	}
}

// watched runs fluxdemo and calls act once it says something that has text
// in it, which it has to.
func watched(t *testing.T, d *testDemo, args []string, text string, act func(*os.Process) error) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := d.command(ctx, nil, all.program, d.named(args)...)
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		var all strings.Builder
		acted := false
		for lines := bufio.NewScanner(read); lines.Scan(); {
			fmt.Fprintln(&all, lines.Text())
			if !acted && strings.Contains(lines.Text(), text) {
				acted = true
				if err := act(cmd.Process); err != nil {
					t.Error(err)
				}
			}
		}
		if !acted {
			t.Errorf("it never says %q", text)
		}
		said <- all.String()
	}()
	_ = cmd.Wait() // the code tells
	write.Close()
	return result{line: "fluxdemo " + strings.Join(args, " "), code: cmd.ProcessState.ExitCode(), stderr: <-said}
}

// TestKeepsData ends a whole cluster in each way there is, and looks whether
// what was in it is there the next time.
func TestKeepsData(t *testing.T) {
	// Not every folder is as handy as those of most tests.
	d := ownDemo(t, in(`it's "a" home & so on; `+strings.Repeat("long-", 20)))
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	before, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	same := lasting(t, d, before)
	d.sub(t, "kill -9 of the supervisor", func(t *testing.T) {
		if running := processesIn(d.cluster()); len(running) < len(parts()) {
			t.Errorf("found only %v: the test does not see what it should", running)
		}
		pid := d.kill(t, "supervisor")
		await(t, healTime, "no process outlives it", func() error { return gone(d.cluster()) })
		if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stdout, "fluxdemo up") {
			t.Errorf("status without a supervisor: %v", r)
		}
		if r := d.fluxdemo("env"); r.code != exitFailure || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("env without a supervisor: %v", r)
		}
		d.must(t, "up")
		same(t)
		if now := d.pid(t, "supervisor"); now == pid {
			t.Errorf("it is still process %d", now)
		}
	})
	d.sub(t, "kill -9 of the supervisor and up at once", func(t *testing.T) {
		old := processesIn(d.cluster())
		d.kill(t, "supervisor")
		d.must(t, "up")
		for _, p := range processesIn(d.cluster()) {
			if slices.Contains(old, p) {
				t.Errorf("left of before: %v", p)
			}
		}
		same(t)
	})
	d.sub(t, "down with the data kept", func(t *testing.T) {
		d.must(t, "down", "--keep-data")
		await(t, lastGasp, "no process is left", func() error { return gone(d.cluster()) })
		if r := d.fluxdemo("status"); r.code != exitFailure || !strings.Contains(r.stdout, "is stopped") {
			t.Errorf("status of a cluster that is stopped: %v", r)
		}
		d.must(t, "up")
		same(t)
	})
	d.sub(t, "up that opens the network", func(t *testing.T) {
		d.must(t, "up", "--allow-egress")
		same(t)
		if code, body := outside(t, d); code == http.StatusForbidden {
			t.Errorf("egress is refused: %s", body)
		}
	})
	d.sub(t, "down leaves nothing", func(t *testing.T) { checkDown(t, d) })
}

// TestInterrupted presses Ctrl-C while the cluster comes up; the next up
// goes on from there.
func TestInterrupted(t *testing.T) {
	d := ownDemo(t)
	r := watched(t, d, []string{"up"}, "✓ kube-apiserver", func(up *os.Process) error { return up.Signal(os.Interrupt) })
	if r.code != 130 || lastLine(r.stderr) != "fluxdemo: interrupted" {
		t.Error(r)
	}
	d.must(t, "up")
	await(t, healTime, "all is well", d.healthy)
	checkDown(t, d)
}

// TestOrdinaryUser does the whole story as a user who may do nothing but what
// everybody may. Where the tests run as such a user, the other tests do it.
func TestOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("all tests run as an ordinary user")
	}
	const nobody = 65534
	d := ownDemo(t, as(nobody))
	d.bundle = readable(t, d)

	t.Run("a state folder of another user", func(t *testing.T) {
		dir := t.TempDir() // root's
		r := d.run([]string{"XDG_STATE_HOME=" + dir}, all.program, "up", "--cluster="+d.kind)
		if r.code != exitFailure || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "cannot write the state folder") || !strings.Contains(r.stderr, "permission denied") {
			t.Errorf("want one line: %v", r)
		}
	})
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	for _, p := range processesIn(d.cluster()) {
		info, err := os.Stat(fmt.Sprintf("/proc/%d", p.pid))
		if err != nil {
			t.Error(err)
		} else if owner := info.Sys().(*syscall.Stat_t).Uid; owner != nobody {
			t.Errorf("%v belongs to user %d", p, owner)
		}
	}
	if first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil && strings.TrimSpace(string(first)) == "1024" {
		d.kubectl(t, "create", "service", "loadbalancer", "low", "--tcp=80")
		await(t, healTime, "an event says which port answers", func() error {
			if r := d.kube("describe", "service/low"); !strings.Contains(r.stdout, "it needs an administrator's rights; use 127.0.0.1:") {
				return errors.New(r.String())
			}
			return nil
		})
		d.kubectl(t, "delete", "service/low")
	}
	// With settings of their own that would stop every commit.
	if err := os.WriteFile(filepath.Join(d.home(), ".gitconfig"), []byte("[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.must(t, "walk", "gitops", "--auto")
	await(t, healTime, "all is well", d.healthy)
	checkDown(t, d)
}

// readable returns a bundle that the demo's user can run: the one that there
// is, or a copy if that is in a folder that is closed to others.
func readable(t *testing.T, d *testDemo) (b *bundle.Bundle) {
	t.Helper()
	if d.run(nil, "/bin/sh", "-c", `for f in "$0"/*; do test -r "$f" || exit 1; done`, d.bundle.Dir).code == 0 {
		return d.bundle
	}
	dir := filepath.Join(all.root, "bundle")
	if out, err := exec.Command("cp", "-r", d.bundle.Dir, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := bundle.Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
