package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/clusters/statefile"
	"github.com/fluxdemo/fluxdemo/demo"
)

// The author of commits whose author does not matter.
const (
	Name  = "Demo"
	Email = "demo@localhost"
)

// Setting is a variable of git's configuration. Several of one name add up.
type Setting struct{ Key, Value string }

// GitSettings returns the settings with which git can use the repository at
// address. They override the user's own configuration, and apply to this URL
// only where git allows that.
func GitSettings(address, helper string) ([]Setting, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("reading the URL of the demo's repository: %w", err)
	}
	base := (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
	return []Setting{
		// An empty helper resets the list: none of the user's is asked, and
		// none stores the demo's password.
		{"credential." + base + ".helper", ""},
		{"credential." + base + ".helper", helper},
		{"http." + base + ".proxy", ""},
		{"http." + base + ".extraHeader", ""}, // resets the list too
		{"protocol." + u.Scheme + ".allow", "always"},
		// Of several rewrites the longest wins: this one, to what it was.
		{"url." + address + ".insteadOf", address},
		{"url." + address + ".pushInsteadOf", address},
		{"commit.gpgSign", "false"},
		{"tag.gpgSign", "false"},
		{"tag.forceSignAnnotated", "false"},
		{"push.gpgSign", "false"},
		{"push.default", "simple"},
		{"remote.pushDefault", "origin"},
		{"core.hooksPath", os.DevNull},
		{"core.attributesFile", os.DevNull},
		{"core.excludesFile", os.DevNull},
		{"core.fsmonitor", "false"},
		{"core.autocrlf", "false"},
		{"core.safecrlf", "false"},
	}, nil
}

// configVariables returns the variables that give git these settings. They
// override every file.
func configVariables(settings []Setting) []Variable {
	if len(settings) == 0 {
		return nil
	}
	list := []Variable{{"GIT_CONFIG_COUNT", strconv.Itoa(len(settings))}}
	for i, s := range settings {
		n := strconv.Itoa(i)
		list = append(list, Variable{"GIT_CONFIG_KEY_" + n, s.Key}, Variable{"GIT_CONFIG_VALUE_" + n, s.Value})
	}
	return list
}

// gitAlone lets git see no configuration but that of the repository.
func gitAlone() environ.Environ {
	return environ.Environ{
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}
}

// CredentialHelper writes the credentials for pushing to the demo's Git host
// into the cluster's folder, mode 0600, and returns the setting that makes
// git read them (gitcredentials(7)). The helper answers, and stores nothing;
// it is for the host's URL only, see GitSettings.
func CredentialHelper(ctx context.Context, cluster clusters.Cluster, c client.Reader) (string, error) {
	password, err := demo.GitPassword(ctx, c)
	if err != nil {
		return "", err
	}
	file := filepath.Join(cluster.Dir(), loginFile)
	if err := statefile.Write(file, fmt.Appendf(nil, "username=%s\npassword=%s\n", demo.GitUser, password), 0o600); err != nil {
		return "", fmt.Errorf("writing git's credentials: %w", err)
	}
	return helperFor(file), nil
}

// ForgetLogin removes the credentials that CredentialHelper has written. While
// the Git host does not run, another program may have its port, and clones
// would send it the password.
func ForgetLogin(cluster clusters.Cluster) error {
	err := os.Remove(filepath.Join(cluster.Dir(), loginFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing git's credentials: %w", err)
	}
	return nil
}

// helperFor returns a helper that answers with what stands in file.
func helperFor(file string) string {
	return `!f() { test "$1" = get && cat ` + quote(file) + `; }; f`
}

// Clone clones the repository at address into dir, with settings that stay
// in the clone: pushing works from any shell, and nothing outside of it is
// changed. A user who has no name for commits gets one there. user is the
// user's environment; git's messages go to said.
func Clone(ctx context.Context, address, dir, helper string, user []string, said io.Writer) error {
	settings, err := GitSettings(address, helper)
	if err != nil {
		return err
	}
	// Without it, the clone of an empty repository would be on master.
	env := environ.Base(user).Join(gitAlone()).Join([]string{
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=init.defaultBranch", "GIT_CONFIG_VALUE_0=main",
	})
	git := func(args ...string) error {
		run := exec.CommandContext(ctx, "git", args...)
		run.Env, run.Stdout, run.Stderr = env, said, said
		if err := run.Run(); err != nil {
			return fmt.Errorf("git %s: %w", args[0], err)
		}
		return nil
	}
	args := []string{"clone", "--quiet"}
	for _, s := range settings {
		args = append(args, "--config", s.Key+"="+s.Value)
	}
	if err := git(append(args, "--", address, dir)...); err != nil {
		return err
	}
	for _, s := range missingIdentity(ctx, dir, user) {
		if err := git("-C", dir, "config", s.Key, s.Value); err != nil {
			return err
		}
	}
	return nil
}

// missingIdentity returns the settings that a user needs who has no name for
// commits in dir: git refuses to commit without.
func missingIdentity(ctx context.Context, dir string, user []string) []Setting {
	// The user's own configuration counts here, wherever it is.
	env := environ.Base(user).Join(environ.Environ(user).Only("GIT_CONFIG_*"))
	var missing []Setting
	for _, s := range []Setting{{"user.name", Name}, {"user.email", Email}} {
		run := exec.CommandContext(ctx, "git", "-C", dir, "config", s.Key)
		run.Env = env
		if out, err := run.Output(); err != nil || strings.TrimSpace(string(out)) == "" {
			missing = append(missing, s)
		}
	}
	return missing
}
