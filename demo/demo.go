// Package demo is what every part of a running demo knows of it: its names, where it answers, how to connect and with
// which credentials. What is done to a demo is in the folders below.
package demo

import (
	"path/filepath"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/fleet"
)

// Namespaces and names of what the demo is made of.
const (
	FluxNamespace = "flux-system"
	DemoNamespace = "fluxdemo"
	AppNamespace  = "app"
	// Playground is the namespace of the fleet for experiments.
	Playground = "playground"
	SyncName   = "flux-system" // GitRepository, Kustomization and Receiver
)

// WalkLabel is on what walks create outside of Git, with the walk's name (docs/SAFETY.md).
const WalkLabel = "fluxdemo.github.io/walk"

// Namespaces lists the namespaces that a demo is made of.
func Namespaces() []string { return []string{FluxNamespace, DemoNamespace, AppNamespace, Playground} }

// Repository is the path of the demo's repository on the Git host.
const Repository = "/fleet.git"

// GitUser is who pushes to the demo's Git host.
const GitUser = "demo"

// BeginningFile is where the commit with which the demo has begun the fleet is kept: a Git bundle with the branch main.
func BeginningFile(cluster clusters.Cluster) string {
	return filepath.Join(cluster.Dir(), fleet.BeginningFile)
}
