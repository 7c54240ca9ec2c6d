package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/adrg/xdg"
	"github.com/spf13/pflag"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/embedded"
)

// version is set by the linker in a release build.
var version = ""

// programVersion returns the version of this program: that of the release,
// else of the module, else "dev".
func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// options are the flags that several verbs share.
type options struct {
	name        string
	kind        string
	bundleDir   string
	allowEgress bool
	port        int
}

func (o *options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.name, "name", "fluxdemo", "name of the cluster")
	flags.StringVar(&o.kind, "cluster", embedded.Kind, "kind of cluster")
	flags.StringVar(&o.bundleDir, "bundle", "", "folder of the bundle (default: $FLUXDEMO_BUNDLE, beside fluxdemo, or the cache)")
}

// stateDir is where clusters keep what they need to live.
func stateDir() string { return filepath.Join(xdg.StateHome, "fluxdemo") }

// program is the path of this executable, links resolved: the cluster's
// processes are started from it long after the link may be gone.
func program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the path of fluxdemo: %w", err)
	}
	return filepath.EvalSymlinks(path)
}

// registry lists the kinds of clusters that this program knows.
func (o *options) registry() clusters.Registry {
	return clusters.Registry{
		{
			Name:      embedded.Kind,
			Available: embedded.Available,
			New: func(name string) (clusters.Cluster, error) {
				exe, err := program()
				if err != nil {
					return nil, err
				}
				return embedded.New(name, embedded.Options{
					StateDir:    stateDir(),
					Stamp:       filepath.Join(xdg.CacheHome, "fluxdemo", "bundle.verified"),
					Program:     exe,
					BundleDir:   o.bundleDir,
					Port:        o.port,
					AllowEgress: o.allowEgress,
				})
			},
		},
	}
}

// cluster returns the cluster that the flags name.
func (o *options) cluster() (clusters.Cluster, error) {
	if err := clusters.CheckName(o.name); err != nil {
		return nil, usageError{err}
	}
	kind, err := o.registry().Get(o.kind)
	if err != nil {
		return nil, usageError{err}
	}
	return kind.New(o.name)
}
