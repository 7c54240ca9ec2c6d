package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/adrg/xdg"
	"github.com/spf13/pflag"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/shell"
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
	provider    string
	bundleDir   string
	allowEgress bool
	gitURL      string
	port        int
	nodeImage   string
	kindConfig  string
	images      string
	retain      bool
	guest       guestOptions
	gitToken    string // for the repository on a forge

	render func() (install.Rendered, error) // once
}

func newOptions() *options {
	o := &options{gitToken: takeSecret(gitTokenVar)}
	o.render = sync.OnceValues(func() (install.Rendered, error) {
		manifests, err := o.installManifests()
		if err != nil {
			return install.Rendered{}, err
		}
		return install.Render(manifests)
	})
	return o
}

// takeSecret reads a secret from the environment and removes it there: it is
// for this process, and no child inherits it, also not those that libraries
// start.
func takeSecret(name string) string {
	secret := os.Getenv(name)
	_ = os.Unsetenv(name) // fails only for a name that cannot be one
	return secret
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
	flags.StringVar(&o.name, "name", cmp.Or(os.Getenv(shell.NameVar), "fluxdemo"), "name of the cluster")
	flags.StringVar(&o.provider, "cluster", auto, "provider of the cluster; valid values: auto, "+strings.Join(o.providers().Names(), ", "))
	flags.StringVar(&o.bundleDir, "bundle", "", "folder of the bundle (default: $FLUXDEMO_BUNDLE, else beside fluxdemo, else the cache)")
}

// stateDir is where clusters keep what they need to live.
func stateDir() string { return filepath.Join(xdg.StateHome, "fluxdemo") }

// checkStateDir returns an error if it is not known where clusters are kept.
// Without a home the folder would be in /, which is not for programs.
func checkStateDir() error {
	if !homed("XDG_STATE_HOME") {
		return errors.New("HOME is not set: set it, or set XDG_STATE_HOME to the folder in which clusters are to be kept")
	}
	return nil
}

// checkNewStateDir returns an error if no cluster can be made in the state
// folder: its path becomes a part of lists.
func checkNewStateDir() error {
	if err := checkStateDir(); err != nil {
		return err
	}
	if strings.ContainsRune(stateDir(), os.PathListSeparator) {
		return usageError{fmt.Errorf("the state folder %s has a %c in its path, which divides the folders in PATH and KUBECONFIG; choose another with XDG_STATE_HOME",
			stateDir(), os.PathListSeparator)}
	}
	return nil
}

// cacheFile is where a file is kept that can be made again; "" if there is no
// place for it.
func cacheFile(name string) string {
	if !homed("XDG_CACHE_HOME") {
		return ""
	}
	return filepath.Join(xdg.CacheHome, "fluxdemo", name)
}

// homed tells whether the folder that a variable of the XDG specification
// names is known, from that or from HOME.
func homed(variable string) bool {
	return os.Getenv("HOME") != "" || filepath.IsAbs(os.Getenv(variable))
}

// program is the path of this executable, links resolved: the cluster's
// processes are started from it long after the link may be gone.
func program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the path of fluxdemo: %w", err)
	}
	return filepath.EvalSymlinks(path)
}
