// Package shell makes the environments for a demo's commands: the one of walks,
// which excludes the user's own settings, and the one of `fluxdemo env` for the
// user's shell. Neither contains a secret.
package shell

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/demo"
)

// What this package keeps in a cluster's folder.
const (
	binFolder = "bin"
	loginFile = "git-login"
	// storedFile is what clones of earlier versions read.
	storedFile = "git-credentials"
	// homeDir takes what commands keep at home: kubectl's and flux's cache,
	// and for walks everything.
	homeDir = "home"
)

// Children names what this package keeps in a cluster's folder.
func Children() []string { return []string{binFolder, loginFile, storedFile, homeDir} }

// Demo is what commands need to work with a demo.
type Demo struct {
	name       string // of the cluster
	bin, home  string
	kubeconfig string
	bundle     string
	beginning  string
	urls       demo.URLs
	git        []Setting
}

// Prepare writes the files that the environments refer to into the cluster's
// folder. program is the path of the fluxdemo executable.
func Prepare(ctx context.Context, cluster clusters.Cluster, c client.Reader, b *bundle.Bundle, program string) (*Demo, error) {
	d := &Demo{
		name: filepath.Base(cluster.Dir()),
		bin:  filepath.Join(cluster.Dir(), binFolder), home: filepath.Join(cluster.Dir(), homeDir),
		kubeconfig: cluster.Kubeconfig(), bundle: b.Dir, beginning: demo.BeginningFile(cluster),
	}
	if err := link(d.bin, map[string]string{"kubectl": b.Path("kube"), "flux": b.Path("flux"), "fluxdemo": program}); err != nil {
		return nil, fmt.Errorf("putting kubectl and flux into %s: %w", d.bin, err)
	}
	if err := os.MkdirAll(d.home, 0o700); err != nil {
		return nil, fmt.Errorf("making a home for commands: %w", err)
	}
	var err error
	if d.urls, err = demo.FindURLs(ctx, c, cluster); err != nil {
		return nil, err
	}
	if d.urls.Git == "" {
		return d, nil
	}
	helper, err := CredentialHelper(ctx, cluster, c)
	if err != nil {
		return nil, err
	}
	d.git, err = GitSettings(d.urls.Git, helper)
	return d, err
}

// common are the variables that walks and the user's own shell both need.
// path is what PATH is without the demo.
func (d *Demo) common(path string) []Variable {
	dirs := slices.DeleteFunc(filepath.SplitList(path), func(dir string) bool { return dir == d.bin })
	return []Variable{
		{"PATH", strings.Join(append([]string{d.bin}, dirs...), string(os.PathListSeparator))},
		{"KUBECONFIG", d.kubeconfig},
		{"KUBERC", "off"}, // kubectl's aliases and defaults of the user
		{"KUBECACHEDIR", filepath.Join(d.home, ".kube", "cache")},
		{"FLEET_URL", d.urls.Git},
		{"FLEET_BEGINNING", d.beginning},
		{"APP_URL", d.urls.App},
		{"INBOX_URL", d.urls.Inbox},
	}
}

// Commands returns the environment of a walk's commands: that of base, which
// one of environ's functions has made, without what changes output. With
// ownHome their home is a folder of the cluster's, so that no program finds
// a configuration of the user's there; without it they need the user's own,
// for the command of a container engine or a credential plugin. Commands
// that are fluxdemo again find the same clusters below stateHome, and act on
// the one called name.
func (d *Demo) Commands(base environ.Environ, ownHome bool, stateHome, name string) environ.Environ {
	e := base.Without("LANG", "LANGUAGE", "LC_*", "CLICOLOR*", "COLORTERM")
	if ownHome {
		e = e.Without("XDG_*", "SHELL").With("HOME", d.home)
	}
	e = e.With("XDG_STATE_HOME", stateHome).With(bundle.EnvVar, d.bundle).With(NameVar, name).
		// Output, and the order in which ls and sort put things, are the
		// same in every language.
		With("LC_ALL", locale())
	for _, v := range d.common(base.Get("PATH")) {
		e = e.With(v.Name, v.Value)
	}
	e = e.With("FLUXCD_PLUGINS", filepath.Join(d.home, ".fluxcd", "plugins"))
	return e.Join(gitAlone()).
		With("GIT_AUTHOR_NAME", Name).With("GIT_AUTHOR_EMAIL", Email).
		With("GIT_COMMITTER_NAME", Name).With("GIT_COMMITTER_EMAIL", Email).
		// Walks cannot edit a message; ":" accepts it unchanged.
		With("GIT_EDITOR", ":").With("GIT_PAGER", "cat").
		Join(pairs(configVariables(d.git)))
}

// NameVar is the variable that says which cluster is meant without --name.
const NameVar = "FLUXDEMO_NAME"

// locale is the one whose messages are English and whose characters are
// UTF-8.
func locale() string {
	if runtime.GOOS == "darwin" {
		return "en_US.UTF-8" // macOS has no C.UTF-8
	}
	return "C.UTF-8"
}

// link makes dir a folder of symbolic links.
func link(dir string, targets map[string]string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, target := range targets {
		path := filepath.Join(dir, name)
		if now, err := os.Readlink(path); err == nil && now == target {
			continue
		}
		_ = os.Remove(path) // an old link, if any
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}
