package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
)

// program is one binary of the bundle and the package that it is built from.
type program struct {
	name   string // file name, and the name of the component
	pkg    string // package to build
	module string // module whose version it carries
}

// programs lists what the bundle holds. kube comes first because it takes
// longest to link.
func programs() []program {
	return []program{
		{"kube", "./kube", "k8s.io/kubernetes"},
		{"source-controller", "github.com/fluxcd/source-controller", "github.com/fluxcd/source-controller"},
		{"kustomize-controller", "github.com/fluxcd/kustomize-controller", "github.com/fluxcd/kustomize-controller"},
		{"notification-controller", "github.com/fluxcd/notification-controller", "github.com/fluxcd/notification-controller"},
		{"helm-controller", "github.com/fluxcd/helm-controller", "github.com/fluxcd/helm-controller"},
		{"flux", fluxPackage, fluxModule},
	}
}

const (
	fluxModule  = "github.com/fluxcd/flux2/v2"
	fluxPackage = fluxModule + "/cmd/flux"
	etcdModule  = "go.etcd.io/etcd/server/v3"
)

// module is what the go command knows of a module: its version and the
// folder of its source in the module cache.
type module struct {
	Path    string
	Version string
	Dir     string
}

// listModules returns the modules that the programs are built from, by path,
// downloading those that are not in the module cache.
func listModules(ctx context.Context) (map[string]module, error) {
	args := []string{"list", "-m", "-json", etcdModule}
	for _, p := range programs() {
		args = append(args, p.module)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("listing modules: %w\n%s", err, stderr.Bytes())
	}
	modules := map[string]module{}
	for dec := json.NewDecoder(bytes.NewReader(raw)); dec.More(); {
		var m module
		if err := dec.Decode(&m); err != nil {
			return nil, fmt.Errorf("reading the list of modules: %w", err)
		}
		if m.Dir == "" {
			if m.Dir, err = download(ctx, m); err != nil {
				return nil, err
			}
		}
		modules[m.Path] = m
	}
	return modules, nil
}

func download(ctx context.Context, m module) (string, error) {
	raw, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", m.Path).Output()
	var got struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(raw, &got); jsonErr == nil && got.Error != "" {
		return "", fmt.Errorf("downloading %s %s: %s (is the Go module proxy reachable? see go env GOPROXY)", m.Path, m.Version, got.Error)
	}
	if err != nil {
		return "", fmt.Errorf("downloading %s %s: %w", m.Path, m.Version, err)
	}
	return got.Dir, nil
}
