package main

import (
	"context"
	"strings"

	"github.com/fluxdemo/fluxdemo/hack/bundle/gobuild"
)

// compile builds all programs into dir.
func compile(ctx context.Context, dir, modfile string, modules map[string]module) error {
	build := gobuild.Build{Name: "bundle", Out: dir, Flags: []string{
		"-modfile=" + modfile, "-ldflags=all=-s -w",
		"-ldflags=./kube=-s -w " + gobuild.KubeStamps(modules["k8s.io/kubernetes"].Version),
		"-ldflags=" + fluxPackage + "=-s -w -X main.VERSION=" + strings.TrimPrefix(modules[fluxModule].Version, "v"),
	}}
	for _, p := range programs() {
		build.Packages = append(build.Packages, p.pkg)
	}
	return build.Run(ctx)
}
