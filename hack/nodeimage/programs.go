package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/fluxdemo/fluxdemo/hack/bundle/gobuild"
)

const (
	containerd  = "github.com/containerd/containerd/v2"
	crictl      = "sigs.k8s.io/cri-tools"
	kind        = "sigs.k8s.io/kind"
	kubernetes  = "k8s.io/kubernetes"
	bundleDir   = "../bundle" // the module that has Kubernetes
	programName = "nodeimage" // starts what is said on stderr
)

// module is what the go command knows of a module.
type module struct{ Path, Version, Dir string }

// findModule asks the go command, in the module whose folder is dir, for one
// of its modules, and has it downloaded.
func findModule(ctx context.Context, dir, path string) (module, error) {
	for _, args := range [][]string{{"mod", "download", path}, {"list", "-m", "-json", path}} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = dir
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return module{}, fmt.Errorf("looking for the module %s: %w\n%s", path, err, stderr.Bytes())
		}
		if args[0] == "list" {
			var m module
			err := json.Unmarshal(stdout.Bytes(), &m)
			return m, err
		}
	}
	return module{}, nil
}

// compile builds the programs of a node into dir: kubelet and its like from
// the bundle's module, so that they are the bundle's packages, the rest from
// this one.
func compile(ctx context.Context, dir string) error {
	kubernetes, err := findModule(ctx, bundleDir, kubernetes)
	if err != nil {
		return err
	}
	containerdModule, err := findModule(ctx, "", containerd)
	if err != nil {
		return err
	}
	crictlModule, err := findModule(ctx, "", crictl)
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	stamp := func(m module, variable string) string {
		return "-ldflags=" + m.Path + "/cmd/...=-s -w -X " + m.Path + "/" + variable + "=" + m.Version
	}
	for _, build := range []gobuild.Build{
		{
			Name: programName, Module: bundleDir, Out: dir, Packages: []string{"./node"},
			Flags: []string{"-ldflags=all=-s -w", "-ldflags=./node=-s -w " + gobuild.KubeStamps(kubernetes.Version)},
		},
		{
			Name: programName, Out: dir,
			Packages: []string{
				"./coredns", "./pause", crictl + "/cmd/crictl",
				containerd + "/cmd/containerd", containerd + "/cmd/containerd-shim-runc-v2", containerd + "/cmd/ctr",
			},
			Flags: []string{
				"-tags=no_btrfs,no_devmapper,no_zfs", // what a node never mounts
				"-ldflags=all=-s -w", stamp(containerdModule, "version.Version"), stamp(crictlModule, "pkg/version.Version"),
			},
		},
	} {
		if err := build.Run(ctx); err != nil {
			return err
		}
	}
	return nil
}
