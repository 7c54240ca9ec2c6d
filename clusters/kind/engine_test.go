package kind

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// engines puts commands of these names on PATH, and nothing else but a shell.
// Each does what its script says.
func engines(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv(engineVar, "")
}

func TestFindEngine(t *testing.T) {
	const denied = "echo 'a warning' >&2; echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1"
	for name, test := range map[string]struct {
		scripts map[string]string
		only    string
		want    string // of the engine, or a part of the error
	}{
		"none":                   {nil, "", "install docker, podman, or nerdctl"},
		"docker first":           {map[string]string{"docker": "echo 27.1", "podman": "echo 5.2"}, "", "docker 27.1"},
		"one that answers":       {map[string]string{"docker": denied, "podman": "echo 5.2"}, "", "podman 5.2"},
		"the one that is wanted": {map[string]string{"docker": "echo 27.1", "podman": "echo 5.2"}, "podman", "podman 5.2"},
		"one that is not there":  {map[string]string{"docker": "echo 27.1"}, "nerdctl", "KIND_EXPERIMENTAL_PROVIDER=nerdctl: command not found"},
		"may not be used":        {map[string]string{"docker": denied}, "", "docker does not answer: permission denied while trying"},
		"hangs":                  {map[string]string{"docker": "exec /bin/sleep 60"}, "", "docker does not answer: not within 2s"},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, test.scripts)
			t.Setenv(engineVar, test.only)
			start := time.Now()
			e, err := findEngine(t.Context())
			got := fmt.Sprint(e.cli, " ", e.version)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("%q, want %q", got, test.want)
			}
			if took := time.Since(start); took > answerTime+2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestNodes(t *testing.T) {
	// As `docker inspect` writes it, shortened.
	const inspect = `[
  {"Name": "/demo-worker", "State": {"Status": "exited", "StartedAt": "2026-01-02T03:04:05.6Z"}, "Config": {"Labels": {"io.x-k8s.kind.role": "worker"}},
   "Mounts": [{"Source": "/state/demo/node", "Destination": "/etc/fluxdemo"}], "NetworkSettings": {"Ports": {}}},
  {"Name": "/demo-control-plane", "State": {"Status": "running", "StartedAt": "2026-01-02T03:04:05.6Z"}, "Config": {"Labels": {"io.x-k8s.kind.role": "control-plane"}},
   "NetworkSettings": {"Ports": {"30001/tcp": [{"HostIp": "127.0.0.1", "HostPort": "40123"}], "30002/tcp": null}}}]`
	engines(t, map[string]string{"docker": "case $1 in ps) echo 'a\nb';; inspect) echo '" + inspect + "';; *) exit 1;; esac"})
	nodes, err := engine{cli: "docker"}.nodes(t.Context(), "demo")
	if err != nil || len(nodes) != 2 {
		t.Fatalf("%+v, %v", nodes, err)
	}
	first, second := nodes[0], nodes[1]
	if first.Name != "demo-control-plane" || !first.running() || !first.controlPlane() || second.running() || second.controlPlane() {
		t.Errorf("%+v\n%+v", first, second)
	}
	if address, ok := first.hostPort(30001); !ok || address != "127.0.0.1:40123" {
		t.Errorf("port 30001 is at %q, %v", address, ok)
	}
	for _, port := range []int32{30002, 30003} {
		if address, ok := first.hostPort(port); ok {
			t.Errorf("port %d is at %q", port, address)
		}
	}
	engines(t, map[string]string{"docker": "exit 0"})
	if nodes, err := (engine{cli: "docker"}).nodes(t.Context(), "demo"); err != nil || len(nodes) > 0 {
		t.Errorf("no nodes: %v, %v", nodes, err)
	}
}
