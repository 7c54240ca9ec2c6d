package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// setting is something that a user has set for work and that has nothing to do with the demo. In its texts %HOME%
// and %REPO% stand for the user's home and a repository of theirs.
type setting struct {
	name  string
	vars  []string
	files map[string]string // in the user's home; those below bin and hooks can be run
	umask string
	// naive is a script that does the demo's work without precautions: under the setting something else comes of it.
	// It is empty where nothing harmful can be shown on every machine.
	naive string
	// single means that it cannot be combined with the others, which it would make harmless or which contradict it.
	single bool
	// noShell means that git works nowhere in the user's own shell, so that nothing can be expected of it there.
	noShell bool
}

// What programs do without precautions.
const (
	naiveGit = `set -e
rm -rf "$T/naive"; mkdir -p "$T"; git clone -q "$FLEET_URL" "$T/naive"; cd "$T/naive"
echo "$T" > probe.txt; git add probe.txt
git -c user.name=a -c user.email=a@example.org commit -q -m naive
git log -1 --date=format:%Y --format='%an %ad %s'; git diff HEAD~1 --stat; git ls-files --eol README.md
git rev-parse --show-toplevel | grep -c naive
git -c credential.helper="$HELPER" push -q --dry-run --force`
	naiveKubectl = `kubectl get namespace flux-system -o name`
	naiveFlux    = `flux get kustomizations --no-header | wc -l`
	naiveContext = `mkdir -p "$T"; cp "$KUBECONFIG" "$T/kubeconfig"; export KUBECONFIG="$T/kubeconfig"
kubectl config set-context --current --namespace=app
` + naiveFlux
	naiveCurl = `curl -fsS "$APP_URL" | head -c 15`
)

// hostileConfig is a Git configuration with which commits and pushes go wrong in several ways.
const hostileConfig = "[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n"

// hostileSettings are about 70 settings, each harmful alone.
func hostileSettings(t *testing.T) []setting {
	t.Helper()
	all := []setting{
		// The variables of git rev-parse --local-env-vars, as a hook or `git rebase --exec` sets them.
		{name: "GIT_DIR", vars: []string{"GIT_DIR=%REPO%/.git"}, naive: naiveGit},
		{name: "GIT_WORK_TREE", vars: []string{"GIT_DIR=%REPO%/.git", "GIT_WORK_TREE=%REPO%"}, naive: naiveGit, single: true},
		{name: "GIT_INDEX_FILE", vars: []string{"GIT_INDEX_FILE=%HOME%/no/index"}, naive: naiveGit},
		{name: "GIT_OBJECT_DIRECTORY", vars: []string{"GIT_OBJECT_DIRECTORY=/proc/nowhere"}, naive: naiveGit},
		{name: "GIT_COMMON_DIR", vars: []string{"GIT_COMMON_DIR=%HOME%/nowhere"}, naive: naiveGit},
		{name: "GIT_CONFIG_PARAMETERS", vars: []string{"GIT_CONFIG_PARAMETERS='commit.gpgsign'='true' 'gpg.program'='false'"}, naive: naiveGit, single: true},
		{
			name:  "GIT_CONFIG_COUNT",
			vars:  []string{"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=commit.gpgSign", "GIT_CONFIG_VALUE_0=true", "GIT_CONFIG_KEY_1=gpg.program", "GIT_CONFIG_VALUE_1=false"},
			naive: naiveGit,
		},
		{name: "GIT_NAMESPACE", vars: []string{"GIT_NAMESPACE=elsewhere"}},
		{name: "GIT_SHALLOW_FILE", vars: []string{"GIT_SHALLOW_FILE=%HOME%/shallow"}},

		// Git's others.
		{name: "GIT_CONFIG_GLOBAL", vars: []string{"GIT_CONFIG_GLOBAL=%HOME%/work.gitconfig"}, files: map[string]string{"work.gitconfig": hostileConfig}, naive: naiveGit, single: true},
		{name: "GIT_CONFIG_SYSTEM", vars: []string{"GIT_CONFIG_NOSYSTEM=0", "GIT_CONFIG_SYSTEM=%HOME%/work.gitconfig"}, files: map[string]string{"work.gitconfig": hostileConfig}, naive: naiveGit},
		{name: "GIT_AUTHOR_DATE", vars: []string{"GIT_AUTHOR_DATE=2001-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2001-01-01T00:00:00Z"}, naive: naiveGit},
		{name: "GIT_AUTHOR_NAME", vars: []string{"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org"}, naive: naiveGit},
		{name: "editors", vars: []string{"GIT_EDITOR=false", "GIT_SEQUENCE_EDITOR=false", "EDITOR=false", "VISUAL=false", "KUBE_EDITOR=false"}, naive: naiveGit + "\ngit -c user.name=a -c user.email=a@b -c core.editor=true revert --edit HEAD"},
		{name: "pagers", vars: []string{"GIT_PAGER=false", "PAGER=false", "LESS=-X --no-such-option"}, naive: `printf x | $PAGER`},
		{name: "GIT_SSH_COMMAND", vars: []string{"GIT_SSH_COMMAND=false", "GIT_SSH=false", "GIT_PROXY_COMMAND=false"}},
		{name: "GIT_EXTERNAL_DIFF", vars: []string{"GIT_EXTERNAL_DIFF=false"}, naive: naiveGit + "\ngit diff HEAD~1"},
		{name: "GIT_TRACE", vars: []string{"GIT_TRACE=1", "GIT_TRACE_CURL=1", "GIT_TRACE_PACKET=1", "GIT_CURL_VERBOSE=1", "GIT_TRACE2=1"}, naive: "exec 2>&1\n" + naiveGit},
		{name: "GIT_TRACE2_EVENT", vars: []string{"GIT_TRACE2_EVENT=%HOME%/trace", "GIT_TRACE=%HOME%/trace"}, naive: naiveGit + "\ntest ! -e \"$HOME/trace\""},
		{name: "GIT_TEMPLATE_DIR", vars: []string{"GIT_TEMPLATE_DIR=%HOME%/template"}, files: map[string]string{"template/hooks/pre-commit": "#!/bin/sh\nexit 1\n"}, naive: naiveGit},
		{name: "GIT_ASKPASS", vars: []string{"GIT_ASKPASS=false", "SSH_ASKPASS=false", "GIT_TERMINAL_PROMPT=1"}},
		{name: "GIT_ALLOW_PROTOCOL", vars: []string{"GIT_ALLOW_PROTOCOL=ssh"}, naive: naiveGit},
		{name: "GIT_EXEC_PATH", vars: []string{"GIT_EXEC_PATH=%HOME%/nowhere"}, naive: naiveGit},
		{name: "GIT_DEFAULT_HASH", vars: []string{"GIT_DEFAULT_HASH=sha256", "GIT_OPTIONAL_LOCKS=0"}},
		{name: "pathspecs", vars: []string{"GIT_LITERAL_PATHSPECS=1", "GIT_ICASE_PATHSPECS=1"}, naive: naiveGit},
		{name: "GIT_CEILING_DIRECTORIES", vars: []string{"GIT_CEILING_DIRECTORIES=/", "GIT_DISCOVERY_ACROSS_FILESYSTEM=0"}},

		// Git's configuration.
		{name: "git signs", files: map[string]string{".gitconfig": hostileConfig + "[tag]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n"}, naive: naiveGit},
		{name: "git hooks", files: map[string]string{".gitconfig": "[core]\n\thooksPath = ~/hooks\n", "hooks/pre-push": "#!/bin/sh\nexit 1\n", "hooks/pre-commit": "#!/bin/sh\nexit 1\n"}, naive: naiveGit},
		{name: "git insteadOf", files: map[string]string{".gitconfig": "[url \"http://127.0.0.1:9/\"]\n\tinsteadOf = http://127.0.0.1\n\tpushInsteadOf = http://127.0.0.1\n"}, naive: naiveGit},
		{name: "git helpers", files: map[string]string{".gitconfig": "[credential]\n\thelper = \"!echo username=no; echo password=no; :\"\n\thelper = store\n"}, naive: naiveGit},
		{name: "git helper stores", files: map[string]string{".gitconfig": "[credential]\n\thelper = store\n"}},
		{name: "git autocrlf", files: map[string]string{".gitconfig": "[core]\n\tautocrlf = true\n\tsafecrlf = true\n\teol = crlf\n"}, naive: naiveGit},
		{name: "git push.default", files: map[string]string{".gitconfig": "[push]\n\tdefault = nothing\n"}, naive: naiveGit},
		{name: "git pushDefault", files: map[string]string{".gitconfig": "[remote]\n\tpushDefault = fork\n"}, naive: naiveGit},
		{name: "git templates", files: map[string]string{".gitconfig": "[init]\n\ttemplateDir = ~/template\n\tdefaultBranch = trunk\n", "template/hooks/pre-commit": "#!/bin/sh\nexit 1\n"}, naive: naiveGit},
		{name: "git attributes", files: map[string]string{".gitconfig": "[core]\n\tattributesFile = ~/attributes\n[filter \"no\"]\n\tclean = false\n\trequired = true\n", "attributes": "* filter=no\n"}, naive: naiveGit},
		{name: "git excludes", files: map[string]string{".gitconfig": "[core]\n\texcludesFile = ~/excludes\n", "excludes": "*\n"}, naive: naiveGit},
		{name: "git proxy", files: map[string]string{".gitconfig": "[http]\n\tproxy = http://127.0.0.1:9\n"}, naive: naiveGit},
		{name: "git header", files: map[string]string{".gitconfig": "[http]\n\textraHeader = Authorization: Basic bm86bm8=\n"}, naive: naiveGit},
		{name: "git protocol", files: map[string]string{".gitconfig": "[protocol]\n\tallow = never\n"}, naive: naiveGit},
		{name: "git remote name", files: map[string]string{".gitconfig": "[clone]\n\tdefaultRemoteName = upstream\n[user]\n\tuseConfigOnly = true\n[color]\n\tui = always\n[log]\n\tshowSignature = true\n"}},
		{name: "git broken", files: map[string]string{".gitconfig": "[commit\n"}, naive: naiveGit, single: true, noShell: true},
		{name: "git of XDG", vars: []string{"XDG_CONFIG_HOME=%HOME%/xdg"}, files: map[string]string{"xdg/git/config": hostileConfig, "xdg/git/ignore": "*\n", "xdg/git/attributes": "* -text\n"}, naive: naiveGit},
		{name: "git ignore of XDG", files: map[string]string{".config/git/ignore": "*\n"}, naive: naiveGit},

		// Networks.
		{name: "proxies", vars: []string{"http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9", "all_proxy=http://127.0.0.1:9"}, naive: naiveCurl},
		{name: "PROXIES", vars: []string{"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "ALL_PROXY=socks5://127.0.0.1:9"}, naive: naiveCurl},
		{name: "NO_PROXY", vars: []string{"http_proxy=http://127.0.0.1:9", "NO_PROXY=.corp", "no_proxy=.corp"}, naive: naiveCurl},
		{name: "netrc", files: map[string]string{".netrc": "default login no password no\n"}},
		{name: "curlrc", files: map[string]string{".curlrc": "proxy = http://127.0.0.1:9\n"}, naive: naiveCurl},

		// Kubernetes, Flux, Helm.
		{name: "KUBECONFIG", vars: []string{"KUBECONFIG=%HOME%/.kube/one:%HOME%/.kube/two"}, files: map[string]string{".kube/one": usersKubeconfig, ".kube/two": usersKubeconfig}, naive: naiveKubectl},
		{name: "kuberc", files: map[string]string{".kube/kuberc": kuberc}, naive: `kubectl get namespace flux-system`},
		{name: "KUBERC", vars: []string{"KUBERC=%HOME%/kuberc"}, files: map[string]string{"kuberc": kuberc}, naive: `kubectl get namespace flux-system`},
		{name: "KUBECTL", vars: []string{"KUBECTL_EXTERNAL_DIFF=false", "KUBECTL_COMMAND_HEADERS=0", "KUBERNETES_MASTER=http://127.0.0.1:9"}},
		{name: "KUBECACHEDIR", vars: []string{"KUBECACHEDIR=%HOME%/cache"}, naive: naiveKubectl + "\ntest ! -e \"$HOME/cache\""},
		{name: "FLUX_SYSTEM_NAMESPACE", vars: []string{"FLUX_SYSTEM_NAMESPACE=gitops"}, naive: naiveFlux},
		{name: "FLUX_NS_FOLLOWS_KUBE_CONTEXT", vars: []string{"FLUX_NS_FOLLOWS_KUBE_CONTEXT=1"}, naive: naiveContext, single: true},
		{name: "FLUXCD_PLUGINS", vars: []string{"FLUXCD_PLUGINS=%HOME%/plugins"}, files: map[string]string{"bin/flux-get": "#!/bin/sh\nexit 1\n"}},
		{name: "HELM", vars: []string{"HELM_NAMESPACE=work", "HELM_DRIVER=sql", "HELM_CACHE_HOME=/proc/nowhere", "HELM_KUBECONTEXT=mine"}},

		// Shells.
		{name: "CDPATH", vars: []string{"CDPATH=%HOME%"}, files: map[string]string{"probe/x": ""}, naive: `mkdir -p "$T/probe"; cd "$T"; cd probe; pwd | grep -c work`},
		{name: "ENV", vars: []string{"ENV=%HOME%/rc"}, files: map[string]string{"rc": "exit 7\n"}, naive: `printf 'echo x\n' | sh -i`},
		{name: "BASH_ENV", vars: []string{"BASH_ENV=%HOME%/rc"}, files: map[string]string{"rc": "exit 7\n"}, naive: `bash -c 'echo x'`},
		{name: "POSIXLY_CORRECT", vars: []string{"POSIXLY_CORRECT=1"}, naive: `ls / -d`},
		{name: "GREP_OPTIONS", vars: []string{"GREP_OPTIONS=-v", "GREP_COLORS=broken"}},
		{name: "IFS and PS4", vars: []string{"IFS=a", "PS4=x", "SHELLOPTS=xtrace", "BASHOPTS=failglob"}, naive: `exec 2>&1; bash -c 'echo x'`},
		{name: "language", vars: []string{"LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "LANGUAGE=tr:de", "LC_MESSAGES=tr_TR.UTF-8"}, single: true},
		{name: "LC_ALL=C", vars: []string{"LC_ALL=C", "LANGUAGE=de"}},
		{name: "TZ", vars: []string{"TZ=Asia/Kathmandu"}, naive: `date -d @0 +%H`},
		{name: "COLUMNS", vars: []string{"COLUMNS=20", "LINES=3", "TERM=dumb"}, naive: `COLUMNS=${COLUMNS:-200} ls -C -w "${COLUMNS:-200}" / | wc -l`},
		{name: "TMPDIR", vars: []string{`TMPDIR=%HOME%/it's a "tmp" für alles`}, files: map[string]string{`it's a "tmp" für alles/x`: ""}, naive: `touch $TMPDIR/y`},
		{name: "Go", vars: []string{"GODEBUG=http2client=0,netdns=cgo", "GOGC=20", "GOMAXPROCS=1", "GOTRACEBACK=none"}},
		{name: "umask 077", umask: "077", naive: `mkdir -p "$T"; touch "$T/file"; stat -c %a "$T/file"`, single: true},
		{name: "umask 000", umask: "000", naive: `mkdir -p "$T"; touch "$T/file"; stat -c %a "$T/file"`},

		{name: "HOME is read-only", vars: []string{"HOME=/sys"}, naive: `mkdir -p "$HOME/x"`, single: true},
		{name: "no HOME", vars: []string{"HOME="}, naive: `mkdir -p "$HOME" && cd "$HOME"`, single: true},

		// What looks like fluxdemo's own.
		{name: "FLUXDEMO", vars: []string{"FLUXDEMO_GIT_TOKEN=" + hostileToken, "FLUXDEMO_GIT_USERNAME=me", "FLUXDEMO_COLOR=green", "WALK_DIR=/", "WALK_COMMIT=none", "FLEET_URL=http://127.0.0.1:9", "APP_URL=x"}},
	}
	// Those that this version of git has beside them.
	out, err := exec.Command("git", "rev-parse", "--local-env-vars").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		known := false
		for _, s := range all {
			for _, pair := range s.vars {
				known = known || strings.HasPrefix(pair, name+"=")
			}
		}
		if !known {
			all = append(all, setting{name: name, vars: []string{name + "=%HOME%/nowhere"}})
		}
	}
	return all
}

// hostileToken stands for a secret that no child may have.
const hostileToken = "token-that-nobody-else-may-have"

// kuberc makes kubectl's get print YAML.
const kuberc = `apiVersion: kubectl.config.k8s.io/v1beta1
kind: Preference
defaults:
- command: get
  options:
  - name: output
    default: yaml
`

// install writes the setting's files into home and returns its variables.
func (s setting) install(t *testing.T, home, repo string) []string {
	t.Helper()
	fill := strings.NewReplacer("%HOME%", home, "%REPO%", repo)
	for name, content := range s.files {
		file := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(content, "#!") {
			mode = 0o755
		}
		// Those that are combined add up.
		old, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(old, fill.Replace(content)...), mode); err != nil {
			t.Fatal(err)
		}
	}
	var vars []string
	for _, pair := range s.vars {
		vars = append(vars, fill.Replace(pair))
	}
	return vars
}
