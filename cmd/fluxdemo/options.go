package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/adrg/xdg"
	"github.com/spf13/pflag"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/demo/setup"
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

// options are the flags that several verbs share, and what is worked out
// from them.
type options struct {
	name        string
	kind        string
	bundleDir   string
	allowEgress bool
	gitURL      string
	port        int
	nodeImage   string
	kindConfig  string
	images      string
	retain      bool
	guest       guestOptions

	render func() (setup.Rendered, error) // once
}

func newOptions() *options {
	o := &options{}
	o.render = sync.OnceValues(func() (setup.Rendered, error) {
		install, err := o.installManifests()
		if err != nil {
			return setup.Rendered{}, err
		}
		return setup.Render(install)
	})
	return o
}

// installManifests returns what `flux install --export` prints.
func (o *options) installManifests() ([]byte, error) {
	b, err := bundle.Find(o.bundleDir)
	if err != nil {
		return nil, err
	}
	install, err := os.ReadFile(b.Path("flux.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	return install, nil
}

func (o *options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.name, "name", "fluxdemo", "name of the cluster")
	flags.StringVar(&o.kind, "cluster", auto, "kind of cluster: auto, "+strings.Join(o.registry().Names(), ", "))
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
