package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
	"github.com/fluxdemo/fluxdemo/demo"
)

// demoIn is a demo whose files are below dir.
func demoIn(t *testing.T, dir string) *Demo {
	t.Helper()
	const address = "http://127.0.0.1:30000/fleet.git"
	settings, err := GitSettings(address, helperFor(filepath.Join(dir, "git-login")))
	if err != nil {
		t.Fatal(err)
	}
	return &Demo{
		bin: filepath.Join(dir, "bin"), home: filepath.Join(dir, homeDir), kubeconfig: filepath.Join(dir, "kubeconfig"), bundle: "/bundle", name: "x",
		urls: demo.URLs{Git: address, App: "http://127.0.0.1:30001", Inbox: "http://127.0.0.1:30002"}, git: settings,
	}
}

func TestCommands(t *testing.T) {
	user := []string{
		"PATH=/usr/bin:/bin", "HOME=/home/me", "SHELL=/bin/fish", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "LANGUAGE=de", "TZ=Asia/Kathmandu", "TERM=xterm",
		"XDG_STATE_HOME=/other", "XDG_CONFIG_HOME=/config", "XDG_CACHE_HOME=/cache", "XDG_RUNTIME_DIR=/run/user/1", "TMPDIR=/tmp/a b",
		"GIT_DIR=/repo/.git", "GIT_AUTHOR_NAME=Me", "FLUX_SYSTEM_NAMESPACE=gitops", "http_proxy=http://proxy", "DOCKER_HOST=ssh://box",
	}
	d := demoIn(t, "/state/fluxdemo/x")
	e := d.Commands(environ.Base(user), true, "/state", "x")
	for name, want := range map[string]string{
		"PATH": "/state/fluxdemo/x/bin:/usr/bin:/bin", "HOME": "/state/fluxdemo/x/home", "LC_ALL": locale(), "TZ": "Asia/Kathmandu", "TMPDIR": "/tmp/a b",
		"KUBECONFIG": "/state/fluxdemo/x/kubeconfig", "KUBERC": "off", "KUBECACHEDIR": "/state/fluxdemo/x/home/.kube/cache",
		"XDG_STATE_HOME": "/state", "FLUXDEMO_BUNDLE": "/bundle", "FLUXDEMO_NAME": "x", "FLEET_URL": d.urls.Git,
		"GIT_AUTHOR_NAME": Name, "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"LANG": "", "LANGUAGE": "", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "XDG_RUNTIME_DIR": "", "GIT_DIR": "", "FLUX_SYSTEM_NAMESPACE": "",
		"http_proxy": "", "NO_PROXY": "", "DOCKER_HOST": "", "SHELL": "",
	} {
		if got := e.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	var names []string
	for _, pair := range e {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(names, name) {
			t.Errorf("%s is there twice", name)
		}
		names = append(names, name)
	}
	// An engine's command needs the user's home.
	e = d.Commands(environ.Engine(user), false, "/state", "x")
	for name, want := range map[string]string{
		"HOME": "/home/me", "DOCKER_HOST": "ssh://box", "XDG_RUNTIME_DIR": "/run/user/1", "http_proxy": "http://proxy",
		"NO_PROXY": "127.0.0.1,localhost,::1", "XDG_CONFIG_HOME": "/config", "KUBERC": "off",
	} {
		if got := e.Get(name); got != want {
			t.Errorf("with the user's home, %s: got %q, want %q", name, got, want)
		}
	}
}

func TestLink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bin")
	for _, target := range []string{"/old/kube", "/new/kube", "/new/kube"} {
		if err := link(dir, map[string]string{"kubectl": target}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(filepath.Join(dir, "kubectl")); err != nil || got != target {
			t.Errorf("got %q, %v; want %q", got, err, target)
		}
	}
}
