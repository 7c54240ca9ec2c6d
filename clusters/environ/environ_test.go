package environ

import (
	"slices"
	"strings"
	"testing"
)

// hostile is an environment full of what no child may see.
func hostile() []string {
	return []string{
		"GIT_DIR=/repo/.git", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=commit.gpgSign", "GIT_SSH_COMMAND=false", "EDITOR=vi", "PAGER=less",
		"KUBECONFIG=/a:/b", "KUBERC=/rc", "KUBECTL_EXTERNAL_DIFF=false", "FLUX_SYSTEM_NAMESPACE=gitops", "HELM_NAMESPACE=work", "HELM_DRIVER=sql",
		"CDPATH=/", "ENV=/rc", "BASH_ENV=/rc", "POSIXLY_CORRECT=1", "GREP_OPTIONS=-v", "COLUMNS=20", "LD_PRELOAD=/evil.so",
		"GODEBUG=http2client=0", "GOGC=1", "GOMEMLIMIT=1", "GOFLAGS=-mod=mod", "FLUXDEMO_GIT_TOKEN=secret", "GITHUB_TOKEN=secret",
		"PYTHONPATH=/x", "PERL5LIB=/x", "PERL5OPT=-w", "IFS=:", "PS4=$(id)", "BASH_FUNC_git%%=() { false; }",
		"KUBERNETES_SERVICE_HOST=10.0.0.1", "SSLKEYLOGFILE=/keys", "CURL_HOME=/x", "NETRC=/x",
	}
}

func TestEnvironments(t *testing.T) {
	ordinary := []string{
		"PATH=/bin", "HOME=/home/me", "USER=me", "LOGNAME=me", "SHELL=/bin/zsh", "TERM=xterm", "COLORTERM=truecolor", "NO_COLOR=", "LANG=tr_TR.UTF-8",
		"LC_ALL=tr_TR.UTF-8", "TMPDIR=/tmp/a b", "TZ=Asia/Kathmandu", "XDG_STATE_HOME=/state", "XDG_RUNTIME_DIR=/run/user/1",
		"SSL_CERT_FILE=/ca.pem", "FLUXDEMO_BUNDLE=/bundle",
	}
	proxy := []string{"http_proxy=http://proxy:1", "HTTPS_PROXY=http://proxy:2", "ALL_PROXY=socks5://proxy:3"}
	engine := []string{"DOCKER_HOST=ssh://box", "DOCKER_CONTEXT=box", "CONTAINER_HOST=unix:///x", "KIND_EXPERIMENTAL_PROVIDER=podman"}
	cloud := []string{"AWS_PROFILE=work", "CLOUDSDK_CONFIG=/gcloud", "AZURE_CONFIG_DIR=/azure"}
	fonts := []string{"FONTCONFIG_FILE=/fonts.conf"}
	user := slices.Concat(hostile(), ordinary, proxy, engine, cloud, fonts)
	noProxy := []string{"NO_PROXY=127.0.0.1,localhost,::1", "no_proxy=127.0.0.1,localhost,::1"}

	browser := slices.Concat(ordinary, fonts, []string{"XDG_DATA_HOME=/home/me/.local/share"})
	browser = slices.DeleteFunc(browser, func(pair string) bool {
		return slices.Contains([]string{"HOME=/home/me", "TMPDIR=/tmp/a b", "XDG_STATE_HOME=/state", "XDG_RUNTIME_DIR=/run/user/1"}, pair)
	})
	for _, test := range []struct {
		name      string
		got, want []string
	}{
		{"base", Base(user), ordinary},
		{"outbound", Outbound(user), slices.Concat(ordinary, proxy, noProxy)},
		{"engine", Engine(user), slices.Concat(ordinary, proxy, noProxy, engine)},
		{"guest", Guest(user), slices.Concat(ordinary, proxy, noProxy, cloud)},
		{"browser", Browser(user, "/tmp/profile"), append(browser, "HOME=/tmp/profile", "TMPDIR=/tmp/profile")},
		{"a browser without a home", Browser(nil, "/tmp/profile"), []string{"PATH=" + defaultPath, "HOME=/tmp/profile", "TMPDIR=/tmp/profile"}},
		{"nothing is set", Base(nil), []string{"PATH=" + defaultPath}},
		{"PATH is empty", Base([]string{"PATH="}), []string{"PATH=" + defaultPath}},
		{"twice: the last counts", Base([]string{"PATH=/a", "PATH=/b"}), []string{"PATH=/b"}},
		{"no variable at all", Base([]string{"PATH=/b", "HOME", ""}), []string{"PATH=/b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, want := slices.Sorted(slices.Values(test.got)), slices.Sorted(slices.Values(test.want))
			if !slices.Equal(got, want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

func TestNoProxy(t *testing.T) {
	for _, test := range []struct {
		user []string
		want string
	}{
		{nil, "127.0.0.1,localhost,::1"},
		{[]string{"NO_PROXY=.corp,10.0.0.0/8"}, ".corp,10.0.0.0/8,127.0.0.1,localhost,::1"},
		{[]string{"no_proxy=.corp localhost", "NO_PROXY=.corp,.lan"}, ".corp,.lan,localhost,127.0.0.1,::1"},
		{[]string{"NO_PROXY=*"}, "*"},
	} {
		if got := NoProxy(test.user); got != test.want {
			t.Errorf("%v: got %q, want %q", test.user, got, test.want)
		}
	}
}

func TestChange(t *testing.T) {
	e := Environ{"A=1", "B=2"}
	changed := e.With("A", "3").Join([]string{"C=4", "B=5"}).Without("C*")
	if want := []string{"A=3", "B=5"}; !slices.Equal(changed, want) {
		t.Errorf("got %v, want %v", changed, want)
	}
	if want := []string{"A=1", "B=2"}; !slices.Equal(e, want) {
		t.Errorf("the first one has changed: %v", e)
	}
	if e.Get("B") != "2" || e.Get("C") != "" {
		t.Error("wrong values")
	}
}

// TestDesktop lets a program find the user's browser, and gives it nothing else.
func TestDesktop(t *testing.T) {
	desk := []string{"DISPLAY=:0", "XAUTHORITY=/x", "DBUS_SESSION_BUS_ADDRESS=unix:/bus", "XDG_CURRENT_DESKTOP=KDE", "KDE_SESSION_VERSION=6"}
	got := slices.Sorted(slices.Values(Desktop(slices.Concat(hostile(), desk, []string{"PATH=/bin", "AWS_PROFILE=work"}))))
	want := slices.Sorted(slices.Values(slices.Concat(desk, []string{"PATH=/bin", "NO_PROXY=127.0.0.1,localhost,::1", "no_proxy=127.0.0.1,localhost,::1"})))
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
