// Package shell makes the environment in which a demo's commands are typed:
// kubectl, flux and fluxdemo first on PATH, the demo's kubeconfig, the URLs of
// its parts, and git's access to its repository. No secret stands in it.
package shell

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/demo/setup"
)

// Environment is a list of variables, in the order in which to set them.
type Environment []Variable

// Variable is an environment variable.
type Variable struct{ Name, Value string }

const (
	binFolder       = "bin"
	credentialsFile = "git-credentials"
)

// Children names what this package keeps in a cluster's folder.
func Children() []string { return []string{binFolder, credentialsFile} }

// Prepare writes the files that the environment refers to into the cluster's
// folder and returns the environment. program is the path of the fluxdemo
// executable.
func Prepare(ctx context.Context, cluster clusters.Cluster, c client.Reader, b *bundle.Bundle, program string) (Environment, error) {
	bin := filepath.Join(cluster.Dir(), binFolder)
	if err := link(bin, map[string]string{"kubectl": b.Path("kube"), "flux": b.Path("flux"), "fluxdemo": program}); err != nil {
		return nil, fmt.Errorf("putting kubectl and flux into %s: %w", bin, err)
	}
	urls, err := setup.FindURLs(ctx, c, cluster)
	if err != nil {
		return nil, err
	}
	env := Environment{
		{"KUBECONFIG", cluster.Kubeconfig()},
		{"PATH", bin + string(os.PathListSeparator) + os.Getenv("PATH")},
		{"FLEET_URL", urls.Git},
		{"FLEET_BEGINNING", setup.BeginningFile(cluster)},
		{"APP_URL", urls.App},
		{"INBOX_URL", urls.Inbox},
	}
	if urls.Git == "" {
		return env, nil
	}
	helper, err := CredentialHelper(ctx, cluster, c, urls.Git)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(urls.Git)
	if err != nil {
		return nil, err
	}
	return append(env,
		Variable{"GIT_CONFIG_COUNT", "1"},
		Variable{"GIT_CONFIG_KEY_0", fmt.Sprintf("credential.http://%s.helper", base.Host)},
		Variable{"GIT_CONFIG_VALUE_0", helper},
	), nil
}

// CredentialHelper writes the credentials for pushing to the repository at
// gitURL into the cluster's folder, mode 0600, and returns the setting that
// makes git read them (gitcredentials(7), git-credential-store(1)).
func CredentialHelper(ctx context.Context, cluster clusters.Cluster, c client.Reader, gitURL string) (string, error) {
	password, err := setup.GitPassword(ctx, c)
	if err != nil {
		return "", err
	}
	address, err := url.Parse(gitURL)
	if err != nil {
		return "", err
	}
	line := (&url.URL{Scheme: address.Scheme, Host: address.Host, User: url.UserPassword(setup.GitUser, password)}).String()
	file := filepath.Join(cluster.Dir(), credentialsFile)
	if err := statefile.Write(file, []byte(line+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("writing git's credentials: %w", err)
	}
	return "store --file=" + quote(file), nil
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

// List returns the variables as NAME=value, for a process.
func (e Environment) List() []string {
	var list []string
	for _, v := range e {
		list = append(list, v.Name+"="+v.Value)
	}
	return list
}

// Export returns the variables as lines for a POSIX shell to eval.
func (e Environment) Export() string {
	var out strings.Builder
	for _, v := range e {
		fmt.Fprintf(&out, "export %s=%s\n", v.Name, quote(v.Value))
	}
	return out.String()
}

// quote quotes s for a POSIX shell.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
