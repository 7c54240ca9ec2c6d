// Package cli is what the commands of fluxdemo share: the flags that name a
// cluster, the providers behind them, and the environment of walks.
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
	"github.com/spf13/cobra"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/called"
	"github.com/fluxdemo/fluxdemo/demo/install"
	"github.com/fluxdemo/fluxdemo/demo/shell"
)

// Options are the flags that several commands share, and what follows from
// them.
type Options struct {
	Name        string
	Provider    string
	BundleDir   string
	AllowEgress bool
	NoFence     bool
	GitURL      string
	Port        int
	nodeImage   string
	kindConfig  string
	Images      string
	retain      bool
	guest       guestOptions
	gitToken    string // for the repository on a forge

	// Render returns the manifests to apply. It renders them once.
	Render func() (install.Rendered, error)
}

// New returns Options with unset flags. It takes the token for --git-url from
// the environment, and removes it there.
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

// takeSecret reads a secret from the environment and removes it there, so that
// no child process inherits it, not even one that a library starts.
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

// AddFlags adds the flags that all commands share to the root command.
func (o *Options) AddFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.StringVar(&o.Name, "name", cmp.Or(os.Getenv(shell.NameVar), called.DefaultDemo), "name of the cluster; overrides $"+shell.NameVar)
	flags.StringVar(&o.Provider, "cluster", auto, "provider of the cluster; valid values: auto, "+strings.Join(o.Providers().Names(), ", "))
	flags.StringVar(&o.BundleDir, "bundle", "", "folder of the bundle (default: $FLUXDEMO_BUNDLE, beside fluxdemo, or in the cache)")
	_ = root.RegisterFlagCompletionFunc("name", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return o.Names(), cobra.ShellCompDirectiveNoFileComp
	})
}

// Called returns how the user called this program. It writes commands about the demo that the flags name.
func (o *Options) Called() called.Program { return called.Now(o.Name) }

// StateDir returns the folder of the clusters' state, for example
// /home/me/.local/state/fluxdemo.
func StateDir() string { return filepath.Join(xdg.StateHome, "fluxdemo") }

// CheckStateDir returns an error if the state folder is unknown. Without HOME
// it would be in /.
func CheckStateDir() error {
	if !homed("XDG_STATE_HOME") {
		return errors.New("HOME is not set: set it, or set XDG_STATE_HOME to the folder for clusters")
	}
	return nil
}

// checkNewStateDir returns an error if no cluster can be created in the state
// folder, because its path cannot be an element of PATH and KUBECONFIG.
func checkNewStateDir() error {
	if err := CheckStateDir(); err != nil {
		return err
	}
	if strings.ContainsRune(StateDir(), os.PathListSeparator) {
		return Usage(fmt.Errorf("the path of the state folder %s contains %c, which separates paths in PATH and KUBECONFIG; choose another folder with XDG_STATE_HOME",
			StateDir(), os.PathListSeparator))
	}
	return nil
}

// cacheFile returns the path of a file that can be created again; "" if the
// cache folder is unknown.
func cacheFile(name string) string {
	if !homed("XDG_CACHE_HOME") {
		return ""
	}
	return filepath.Join(xdg.CacheHome, "fluxdemo", name)
}

// homed reports whether a folder of the XDG specification is known, from its
// variable or from HOME.
func homed(variable string) bool {
	return os.Getenv("HOME") != "" || filepath.IsAbs(os.Getenv(variable))
}

// Program returns the path of this executable without symbolic links, because
// the cluster starts processes from it later, when a link may be gone.
func Program() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the path of fluxdemo: %w", err)
	}
	return filepath.EvalSymlinks(path)
}

// programs returns the bundle and the path of this executable, from which
// images and environments are made.
func (o *Options) programs() (*bundle.Bundle, string, error) {
	b, err := bundle.Find(o.BundleDir)
	if err != nil {
		return nil, "", err
	}
	exe, err := Program()
	return b, exe, err
}
