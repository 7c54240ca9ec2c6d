package shell

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
)

// shells are those that eval what Export writes. bash is on every machine
// that these tests run on, and dash is Debian's sh; zsh is tried where it is.
func shells(t *testing.T) []string {
	t.Helper()
	found := []string{"/bin/sh", "bash"}
	for _, name := range []string{"dash", "zsh", "ksh"} {
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
	}
	return found
}

// TestExport lets real shells read what Export writes, also strict ones.
func TestExport(t *testing.T) {
	values := []string{"plain", "", "two words", "it's", `"$HOME" \ $(date)`, "two\nlines", "Grüße, Jürgen", "!f() { test \"$1\" = get; }; f"}
	for _, shell := range shells(t) {
		for _, options := range []string{"", "set -eu; "} {
			for _, want := range values {
				e := Environment{Unset: []string{"NEVER_SET", "GONE"}, Set: []Variable{{"FIRST", "x"}, {"VALUE", want}}}
				script := options + `eval "$TEXT"; printf '%s|%s|' "$VALUE" "${GONE-gone}"; env | grep -c '^VALUE='`
				cmd := exec.Command(shell, "-c", script)
				cmd.Env = []string{"PATH=/usr/bin:/bin", "GONE=no", "TEXT=" + e.Export()}
				out, err := cmd.Output()
				if err != nil || string(out) != want+"|gone|1\n" {
					t.Errorf("%s, %q: the shell read %q, %v", shell, want, out, err)
				}
			}
		}
	}
}

// evaluated is the environment of a shell after it has read what env prints.
func evaluated(t *testing.T, shell string, d *Demo, user []string) map[string]string {
	t.Helper()
	text := d.Interactive(t.Context(), user).Export()
	// Twice, as a person does who has forgotten: it changes nothing more.
	cmd := exec.Command(shell, "-c", "set -eu\n"+text+text+"env -0")
	cmd.Env = user
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, text)
	}
	vars := map[string]string{}
	for _, pair := range strings.Split(string(out), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		vars[name] = value
	}
	return vars
}

func TestInteractive(t *testing.T) {
	home := filepath.Join(t.TempDir(), "it's a höme")
	d := demoIn(t, filepath.Join(home, "state"))
	ordinary := []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	localVars, err := exec.Command("git", "rev-parse", "--local-env-vars").Output()
	if err != nil {
		t.Fatal(err)
	}
	var local []string
	for name := range strings.FieldsSeq(string(localVars)) {
		if name != "GIT_CONFIG_COUNT" { // the demo's settings are there
			local = append(local, name)
		}
	}
	for _, shell := range shells(t) {
		vars := evaluated(t, shell, d, slices.Concat(ordinary, []string{
			"FLUX_SYSTEM_NAMESPACE=gitops", "FLUX_NS_FOLLOWS_KUBE_CONTEXT=1", "KUBERC=/rc", "KUBECTL_EXTERNAL_DIFF=x", "KUBECONFIG=/a:/b",
			"http_proxy=http://proxy", "NO_PROXY=.corp", "EDITOR=ed", "PAGER=less", "LC_ALL=tr_TR.UTF-8", "GIT_AUTHOR_NAME=Me",
		}, set(local)))
		for name, want := range map[string]string{
			"PATH": d.bin + ":/usr/bin:/bin", "KUBECONFIG": d.kubeconfig, "KUBERC": "off", "FLEET_URL": d.urls.Git,
			"NO_PROXY": ".corp,127.0.0.1,localhost,::1", "no_proxy": ".corp,127.0.0.1,localhost,::1",
			// What is the user's own.
			"HOME": home, "http_proxy": "http://proxy", "EDITOR": "ed", "PAGER": "less", "LC_ALL": "tr_TR.UTF-8", "GIT_AUTHOR_NAME": "Me",
		} {
			if vars[name] != want {
				t.Errorf("%s, %s: got %q, want %q", shell, name, vars[name], want)
			}
		}
		for _, name := range append(local, "FLUX_SYSTEM_NAMESPACE", "FLUX_NS_FOLLOWS_KUBE_CONTEXT", "KUBECTL_EXTERNAL_DIFF") {
			if value, is := vars[name]; is {
				t.Errorf("%s: %s is still %q", shell, name, value)
			}
		}
	}
}

// set sets each name to something harmful.
func set(names []string) (pairs []string) {
	for _, name := range names {
		pairs = append(pairs, name+"=/nowhere")
	}
	return pairs
}

// TestIdentity says whose name is on commits.
func TestIdentity(t *testing.T) {
	for _, test := range []struct {
		name, file string
		user       []string
		who        string
	}{
		{name: "none", who: Name},
		{name: "in ~/.gitconfig", file: "[user]\n\tname = Ada\n\temail = ada@example.org\n", who: "Ada"},
		{name: "elsewhere", user: []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=User.Name", "GIT_CONFIG_VALUE_0=Ada"}, who: "Ada"},
		{name: "broken variables", user: []string{"GIT_CONFIG_COUNT=many"}, who: Name},
	} {
		t.Run(test.name, func(t *testing.T) {
			home := t.TempDir()
			write(t, filepath.Join(home, ".gitconfig"), test.file)
			d := demoIn(t, filepath.Join(home, "state"))
			mkdir(t, d.home)
			user := append([]string{"PATH=/usr/bin:/bin", "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1"}, test.user...)
			vars := evaluated(t, "/bin/sh", d, user)
			cmd := exec.Command("git", "config", "user.name")
			cmd.Dir = home
			for name, value := range vars {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			out, err := cmd.Output()
			if got := strings.TrimSpace(string(out)); err != nil || got != test.who {
				t.Errorf("got %q, %v; want %q", got, err, test.who)
			}
			if test.file != "" && strings.Contains(fmt.Sprint(vars), "user.name") {
				t.Error("the user's own name is repeated")
			}
		})
	}
}

// TestTerminal starts the shell that a page shows.
func TestTerminal(t *testing.T) {
	home := t.TempDir()
	d := demoIn(t, filepath.Join(home, "state"))
	mkdir(t, d.home)
	user := []string{
		"PATH=/usr/bin:/bin", "HOME=" + home, "GIT_DIR=/repo/.git", "KUBECONFIG=/a:/b", "AWS_PROFILE=work", "NO_COLOR=1", "BASH_ENV=/rc",
	}
	env := d.Terminal(t.Context(), environ.Base(user), user, "second")
	for name, want := range map[string]string{
		"PATH": d.bin + ":/usr/bin:/bin", "KUBECONFIG": d.kubeconfig, "FLUXDEMO_NAME": "second", "HOME": home, "TERM": "xterm-256color",
		"FLEET_URL": d.urls.Git, "LANG": locale(), "GIT_DIR": "", "AWS_PROFILE": "", "NO_COLOR": "", "BASH_ENV": "", "HISTFILE": "",
	} {
		if got := env.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
