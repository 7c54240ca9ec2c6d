// Package cli is what the verbs of the command share: the flags that name a
// cluster, the providers behind them, and the environment in which walks run.
package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/adrg/xdg"
	"github.com/spf13/pflag"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// Options are the flags that several verbs share, and what is worked out
// from them.
type Options struct {
	Name        string
	Provider    string
	BundleDir   string
	AllowEgress bool
	GitURL      string
	Port        int
	nodeImage   string
	kindConfig  string
	Images      string
	retain      bool
	guest       guestOptions
	gitToken    string // for the repository on a forge

	// Render returns what is applied. It is rendered once.
	Render func() (install.Rendered, error)
}

// New returns Options without flags. It takes the token for --git-url out of
// the environment.
func New() *Options {
	o := &Options{gitToken: takeSecret(GitTokenVar)}
	o.Render = sync.OnceValues(func() (install.Rendered, error) {
		manifests, err := o.InstallManifests()
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

// InstallManifests returns what `flux install --export` prints.
func (o *Options) InstallManifests() ([]byte, error) {
	b, err := bundle.Find(o.BundleDir)
	if err != nil {
		return nil, err
	}
	install, err := os.ReadFile(b.Path("flux.yaml"))
	if err != nil {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	return install, nil
}

func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Name, "name", cmp.Or(os.Getenv(shell.NameVar), "fluxdemo"), "name of the cluster")
	flags.StringVar(&o.Provider, "cluster", auto, "provider of the cluster; valid values: auto, "+strings.Join(o.Providers().Names(), ", "))
	flags.StringVar(&o.BundleDir, "bundle", "", "folder of the bundle (default: $FLUXDEMO_BUNDLE, else beside fluxdemo, else the cache)")
}

// StateDir is where clusters keep what they need to live.
func StateDir() string { return filepath.Join(xdg.StateHome, "fluxdemo") }

// CheckStateDir returns an error if it is not known where clusters are kept.
// Without a home the folder would be in /, which is not for programs.
func CheckStateDir() error {
	if !homed("XDG_STATE_HOME") {
		return errors.New("HOME is not set: set it, or set XDG_STATE_HOME to the folder in which clusters are to be kept")
	}
	return nil
}

// checkNewStateDir returns an error if no cluster can be made in the state
// folder: its path becomes a part of lists.
func checkNewStateDir() error {
	if err := CheckStateDir(); err != nil {
		return err
	}
	if strings.ContainsRune(StateDir(), os.PathListSeparator) {
		return Usage(fmt.Errorf("the state folder %s has a %c in its path, which divides the folders in PATH and KUBECONFIG; choose another with XDG_STATE_HOME",
			StateDir(), os.PathListSeparator))
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

// Program is the path of this executable, links resolved: the cluster's
// processes are started from it long after the link may be gone.
func Program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the path of fluxdemo: %w", err)
	}
	return filepath.EvalSymlinks(path)
}

// programs returns the bundle and the path of this program: what images and
// environments are made of.
func (o *Options) programs() (*bundle.Bundle, string, error) {
	b, err := bundle.Find(o.BundleDir)
	if err != nil {
		return nil, "", err
	}
	exe, err := Program()
	return b, exe, err
}
