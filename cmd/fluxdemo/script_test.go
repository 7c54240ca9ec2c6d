package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
)

// TestScript runs the scripts in testdata/script: what the command line does
// without a cluster. Each has a home, state and cache of its own.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(all.program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			for _, name := range []string{"HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"} {
				dir := filepath.Join(env.WorkDir, strings.ToLower(name))
				if err := os.Mkdir(dir, 0o700); err != nil {
					return err
				}
				env.Setenv(name, dir)
			}
			env.Defer(func() {
				for _, p := range processesIn(env.WorkDir) {
					_ = syscall.Kill(p.pid, syscall.SIGKILL) // may be gone by now
				}
			})
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "tmpfs" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			// Root may mount, others may as root of a namespace of their own.
			return exec.Command("unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt").Run() == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"oneline":    oneLine,
			"empty":      empty,
			"no-process": noProcess,
			"fakebundle": fakeBundle,
		},
	})
}

// exits runs a command that has to end with a code: exits CODE COMMAND...
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// oneLine fails unless the last command said one line as an error, which
// names the program, and nothing else.
func oneLine(ts *testscript.TestScript, _ bool, _ []string) {
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("an error and yet output: %q", out)
	}
	text := ts.ReadFile("stderr")
	if !strings.HasPrefix(text, "fluxdemo: ") || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		ts.Fatalf("not one line that starts with fluxdemo: %q", text)
	}
}

// empty fails if there is anything in the folders: empty DIR...
func empty(ts *testscript.TestScript, _ bool, args []string) {
	for _, dir := range args {
		entries, err := os.ReadDir(ts.MkAbs(dir))
		ts.Check(err)
		if len(entries) > 0 {
			ts.Fatalf("%s holds %v", dir, entries)
		}
	}
}

// noProcess fails if a process has to do with the script's folder.
func noProcess(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(gone(ts.Getenv("WORK")))
}

// fakeBundle makes a bundle that looks right and whose programs do nothing:
// fakebundle DIR.
func fakeBundle(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fakebundle DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	b := bundle.Bundle{OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version()}
	for name, module := range map[string]string{
		"kube": "k8s.io/kubernetes", "flux": "github.com/fluxcd/flux2/v2", "flux.yaml": "",
		"source-controller": "", "kustomize-controller": "", "helm-controller": "", "notification-controller": "",
	} {
		content := fmt.Appendf(nil, "#!/bin/sh\necho %s does nothing\nexit 1\n", name)
		if name == "flux.yaml" {
			content = []byte("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: flux-system\n")
		}
		ts.Check(os.WriteFile(filepath.Join(dir, name), content, 0o755))
		sum := sha256.Sum256(content)
		file := bundle.File{Name: name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
		if module != "" {
			file.Modules = map[string]string{module: "v1.2.3"}
		}
		b.Files = append(b.Files, file)
	}
	var raw bytes.Buffer
	ts.Check(json.NewEncoder(&raw).Encode(b))
	ts.Check(os.WriteFile(filepath.Join(dir, "bundle.json"), raw.Bytes(), 0o644))
}
