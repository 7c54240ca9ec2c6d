package shell

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fluxdemo/fluxdemo/clusters/bundle"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
)

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// Environment is what a shell of the user's own is to change.
type Environment struct {
	Unset []string
	Set   []Variable
}

// harmful are the variables that make git, kubectl and flux in the user's
// shell do something else than a walk says: git's that name a repository
// (git rev-parse --local-env-vars), or change what it commits and where it
// goes; kubectl's switches; Flux's, which name another install.
func harmful() []string {
	return []string{
		"GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE",
		"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_QUARANTINE_PATH",
		"GIT_NO_REPLACE_OBJECTS", "GIT_REPLACE_REF_BASE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS",
		"GIT_CEILING_DIRECTORIES", "GIT_TEMPLATE_DIR", "GIT_EXEC_PATH", "GIT_DEFAULT_HASH", "GIT_ATTR_SOURCE",
		"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
		"GIT_ALLOW_PROTOCOL", "GIT_PROTOCOL_FROM_USER", "GIT_PROTOCOL", "GIT_HTTP_PROXY_AUTHMETHOD", "GIT_EXTERNAL_DIFF",
		"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE",
		"GIT_TRACE", "GIT_TRACE_CURL", "GIT_TRACE_CURL_NO_DATA", "GIT_CURL_VERBOSE", "GIT_TRACE_PACKET", "GIT_TRACE_PACK_ACCESS",
		"GIT_TRACE_PACKFILE", "GIT_TRACE_PERFORMANCE", "GIT_TRACE_REFS", "GIT_TRACE_SETUP", "GIT_TRACE_SHALLOW", "GIT_TRACE_REDACT",
		"GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF",
		"FLUX_SYSTEM_NAMESPACE", "FLUX_NS_FOLLOWS_KUBE_CONTEXT",
		"KUBERNETES_MASTER", "KUBECTL_KUBERC", "KUBECTL_EXTERNAL_DIFF", "KUBECTL_APPLYSET", "KUBECTL_KYAML", "KUBECTL_COMMAND_HEADERS",
		"KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS", "KUBECTL_ENABLE_CMD_SHADOW", "KUBECTL_OPENAPIV3_PATCH",
	}
}

// Interactive returns what a shell of the user's own changes. Their editor,
// pager, language, proxies and name on commits stay. user is the environment
// that the shell has.
func (d *Demo) Interactive(ctx context.Context, user []string) Environment {
	e := Environment{Unset: harmful()}
	e.Set = append(d.common(environ.Base(user).Get("PATH")), Variable{NameVar, d.name})
	no := environ.NoProxy(user)
	e.Set = append(e.Set, Variable{"NO_PROXY", no}, Variable{"no_proxy", no})
	if len(d.git) == 0 {
		return e
	}
	settings := slices.Concat(d.git, []Setting{{"clone.defaultRemoteName", "origin"}}, d.identity(ctx, user))
	e.Set = append(e.Set, configVariables(settings)...)
	return e
}

// Terminal returns the whole environment of a shell that fluxdemo starts for the user on the cluster called name: base,
// which one of environ's functions has made of the environment user, with what Interactive changes.
func (d *Demo) Terminal(ctx context.Context, base environ.Environ, user []string, name string) environ.Environ {
	changes := d.Interactive(ctx, user)
	e := base.Without(changes.Unset...).Join(pairs(changes.Set)).Without("NO_COLOR", "CLICOLOR*").
		With(bundle.EnvVar, d.bundle).With(NameVar, name).
		With("TERM", "xterm-256color").With("COLORTERM", "truecolor").
		With("HISTFILE", "") // what is typed there is not for the user's history
	if e.Get("LC_ALL") == "" && e.Get("LC_CTYPE") == "" && e.Get("LANG") == "" {
		e = e.With("LANG", locale())
	}
	return e
}

// identity returns the settings for the user's name on commits: none if it
// stands in a file of theirs.
func (d *Demo) identity(ctx context.Context, user []string) []Setting {
	dir := filepath.Dir(d.home) // not a repository of the user's, which may have a name of its own
	missing := missingIdentity(ctx, dir, environ.Environ(user).Without("GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"))
	for i, s := range missing {
		missing[i].Value = cmp.Or(byVariables(user, s.Key), s.Value)
	}
	return missing
}

// byVariables returns a setting of git's that stands among the variables
// which the demo's settings replace, "" if none does.
func byVariables(user []string, key string) (value string) {
	e := environ.Environ(user)
	count, err := strconv.Atoi(e.Get("GIT_CONFIG_COUNT"))
	if err != nil {
		return ""
	}
	for i := range count {
		if strings.EqualFold(e.Get(fmt.Sprintf("GIT_CONFIG_KEY_%d", i)), key) {
			value = e.Get(fmt.Sprintf("GIT_CONFIG_VALUE_%d", i))
		}
	}
	return value
}

// Export returns the changes as lines for a POSIX shell to eval.
func (e Environment) Export() string {
	var out strings.Builder
	for _, name := range e.Unset {
		fmt.Fprintf(&out, "unset %s\n", name)
	}
	for _, v := range e.Set {
		fmt.Fprintf(&out, "export %s=%s\n", v.Name, quote(v.Value))
	}
	return out.String()
}

// pairs returns the variables as NAME=value.
func pairs(list []Variable) []string {
	var all []string
	for _, v := range list {
		all = append(all, v.Name+"="+v.Value)
	}
	return all
}

// quote quotes s for a POSIX shell. It is not syntax.Quote, which refuses line breaks there: folders may have them in
// their names.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
