package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
)

// person runs kubectl at a terminal.
type person struct {
	cmd      *exec.Cmd
	terminal *os.File
	ended    chan error

	mu   sync.Mutex
	text bytes.Buffer
}

// sit starts kubectl on a terminal.
func sit(t *testing.T, d *testDemo, env []string, args ...string) *person {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	d.kube("version", "--client") // makes the link
	p := &person{ended: make(chan error, 1)}
	p.cmd = d.command(ctx, append([]string{"KUBECONFIG=" + d.kubeconfig(), "TERM=xterm"}, env...), filepath.Join(d.work(), "kubectl"), args...)
	var err error
	if p.terminal, err = pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		cancel()
		t.Fatal(err)
	}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := p.terminal.Read(buffer)
			p.mu.Lock()
			p.text.Write(buffer[:n])
			p.mu.Unlock()
			if err != nil {
				p.ended <- p.cmd.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		p.terminal.Close()
	})
	return p
}

func (p *person) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.ReplaceAll(p.text.String(), "\r\n", "\n")
}

// sees waits until the screen matches the pattern.
func (p *person) sees(t *testing.T, pattern string) []string {
	t.Helper()
	var found []string
	await(t, healTime, "the screen has "+pattern, func() error {
		if found = regexp.MustCompile(pattern).FindStringSubmatch(p.String()); found == nil {
			return errors.New(p.String())
		}
		return nil
	})
	return found
}

func (p *person) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := p.terminal.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// code waits for kubectl's end and returns its exit code.
func (p *person) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(healTime):
		t.Fatalf("kubectl does not end:\n%s", p)
		return -1
	}
}

// TestKubectlShell works in pods with a terminal, as people do.
func TestKubectlShell(t *testing.T) {
	d := sharedDemo(t)
	for protocol, env := range map[string][]string{"WebSocket": nil, "SPDY": {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false"}} {
		d.sub(t, "exec -it over "+protocol, func(t *testing.T) { shellInPod(t, d, env) })
	}
	d.sub(t, "exec without a terminal", func(t *testing.T) {
		inbox := []string{"-n", "fluxdemo", "exec", "deployment/inbox"}
		if r := d.kube(append(inbox, "--", "sh", "-c", "cat; echo out; echo err >&2; exit 5")...); r.code != 5 || r.stdout != "out\n" || !strings.HasPrefix(r.stderr, "err\n") {
			t.Error(r)
		}
		if r := d.kube(append(inbox, "--", "no-such-program")...); r.code != 127 || !strings.Contains(r.stderr, "not a program of this machine") {
			t.Error(r)
		}
	})
	d.sub(t, "cp", func(t *testing.T) { copyToPod(t, d) })
	d.sub(t, "run", func(t *testing.T) { runWithTerminal(t, d) })
	d.sub(t, "attach", func(t *testing.T) {
		p := sit(t, d, nil, "-n", "fluxdemo", "attach", "deployment/inbox")
		p.sees(t, `If you don't see a command prompt|All commands and output`)
		s, err := d.status()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fetch(s.URLs.Inbox + "/healthz"); err != nil {
			t.Error(err)
		}
		p.press(t, "\x03")
		p.code(t)
		await(t, healTime, "all is well", d.healthy) // the inbox has not heard of the Ctrl-C
	})
	d.sub(t, "debug", func(t *testing.T) {
		d.kubectl(t, "run", "debugged", "--image=registry.invalid/web:1")
		defer d.kubectl(t, "delete", "pod", "debugged", "--timeout=60s")
		d.kubectl(t, "wait", "pod/debugged", "--for=condition=Ready", "--timeout=60s")
		r := d.kube("debug", "debugged", "-i", "--image=busybox", "--target=debugged")
		if !strings.Contains(r.stdout+r.stderr, "kubectl exec -it -n default debugged -c debugged -- sh") {
			t.Error(r)
		}
	})
}

func shellInPod(t *testing.T, d *testDemo, env []string) {
	p := sit(t, d, env, "-n", "app", "exec", "-it", "deployment/app", "--", "sh")
	p.sees(t, `[$#] $`)
	p.press(t, "PS1='ready> '\r")
	p.sees(t, `\nready> $`)
	p.press(t, "until stty size | grep '24 80'; do sleep 0.1; done; echo $((6*7))\r") // the size comes when it comes
	p.sees(t, `\n24 80\n42\nready> $`)
	if err := pty.Setsize(p.terminal, &pty.Winsize{Rows: 40, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	p.press(t, "until stty size | grep '40 132'; do sleep 0.1; done\r")
	p.sees(t, `\n40 132\nready> $`)
	p.press(t, "sh -c 'echo $$; exec sleep 1000'\r")
	p.sees(t, `\n\d+\n$`)
	p.press(t, "\x03")
	p.sees(t, `\^C\s*ready> $`)
	p.press(t, "exit 7\r")
	if code := p.code(t); code != 7 {
		t.Errorf("exit code %d, want 7:\n%s", code, p)
	}

	p = sit(t, d, env, "-n", "app", "exec", "-it", "deployment/app", "--", "sh")
	p.sees(t, `[$#] $`)
	p.press(t, "sleep 1001 & echo job $!; echo shell $$; sleep 1002\r")
	var pids []int
	for _, pattern := range []string{`\njob (\d+)\n`, `\nshell (\d+)\n`} {
		pid, err := strconv.Atoi(p.sees(t, pattern)[1])
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, healTime, "what ran in the pod has ended", func() error {
		for _, pid := range pids {
			if command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(command) > 0 {
				return fmt.Errorf("process %d: %q", pid, command)
			}
		}
		return nil
	})
}

func copyToPod(t *testing.T, d *testDemo) {
	pod := d.kubectl(t, "-n", "app", "get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
	folder := filepath.Join(d.work(), "to-copy")
	if err := os.MkdirAll(filepath.Join(folder, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"a": "one", "sub/b": "two"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.kubectl(t, "-n", "app", "cp", folder, pod+":/tmp/copied")
	if out := d.kubectl(t, "-n", "app", "exec", pod, "--", "cat", "/tmp/copied/sub/b"); out != "two" {
		t.Errorf("in the pod: %q", out)
	}
	if _, err := os.Stat("/tmp/copied"); err == nil {
		t.Error("it is in this machine's /tmp")
	}
	back := filepath.Join(d.work(), "copied-back")
	d.kubectl(t, "-n", "app", "cp", pod+":/tmp/copied", back)
	d.kubectl(t, "-n", "app", "cp", pod+":/tmp/copied/a", back+"/c")
	for name, content := range map[string]string{"a": "one", "sub/b": "two", "c": "one"} {
		if raw, err := os.ReadFile(filepath.Join(back, name)); err != nil || string(raw) != content {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
}

func runWithTerminal(t *testing.T, d *testDemo) {
	image := d.kubectl(t, "-n", "app", "get", "deployment", "app", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
	p := sit(t, d, nil, "run", "own", "-it", "--rm", "--restart=Never", "--image="+image, "--", "version")
	if code := p.code(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p)
	}
	if out := p.String(); !strings.Contains(out, "luxdemo") || !strings.Contains(out, `pod "own" deleted`) {
		t.Errorf("it shows:\n%s", out)
	}
	p = sit(t, d, nil, "run", "other", "-it", "--rm", "--image=registry.invalid/shell:1", "--", "sh")
	p.code(t)
	if out := p.String(); !strings.Contains(out, "simulated: image registry.invalid/shell:1 is not in the bundle, nothing runs") || !strings.Contains(out, `pod "other" deleted`) {
		t.Errorf("it shows:\n%s", out)
	}
	if r := d.kube("get", "pods", "-o", "name"); strings.Contains(r.stdout, "own") || strings.Contains(r.stdout, "other") {
		t.Error(r)
	}
}
