// Package environ makes the environment of every process that fluxdemo
// starts. It passes on only a list of the user's variables, so that settings
// for other work do not reach a child process.
package environ

import (
	"path"
	"slices"
	"strings"
)

// Environ is an environment as NAME=value, each name once. Its methods return
// a new one.
type Environ []string

// defaultPath is for a PATH that is not set: where Linux and macOS keep
// programs.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// kept are the names, or patterns of names, that every child gets: where
// programs and the user's own folders are, what the terminal can show, the
// language, and which certificate authorities to trust (a company's proxy has
// one of its own). Nothing that changes what git, kubectl, flux, a shell or
// the Go runtime do is among them, and no secret.
func kept() []string {
	return []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ",
		"TERM", "COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE",
		"LANG", "LANGUAGE", "LC_*",
		"XDG_*_HOME", "XDG_RUNTIME_DIR",
		"SSL_CERT_FILE", "SSL_CERT_DIR",
		"FLUXDEMO_BUNDLE",
	}
}

// proxies are the variables that name a proxy. Programs read them in either
// case.
func proxies() []string {
	return []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}
}

// direct are the hosts that no proxy leads to: this machine.
func direct() []string { return []string{"127.0.0.1", "localhost", "::1"} }

// engineNames are what docker, podman, nerdctl and kind read: where the
// engine listens, who may use it, and kind's own settings. Docker's Desktop
// and rootless podman look for their socket by XDG_RUNTIME_DIR, and a remote
// one is reached by SSH.
func engineNames() []string {
	return []string{
		"DOCKER_*", "CONTAINER_*", "CONTAINERS_*", "CONTAINERD_*", "PODMAN_*", "NERDCTL_*", "BUILDKIT_HOST",
		"KIND_EXPERIMENTAL_*", "REGISTRY_AUTH_FILE", "STORAGE_DRIVER", "STORAGE_OPTS", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK",
		"GNUPGHOME", "PASSWORD_STORE_DIR", "WSL_*", // for credential helpers
	}
}

// credentialNames are what the credential plugins of kubeconfigs read, those
// of the large clouds and of common identity providers.
func credentialNames() []string {
	return []string{
		"AWS_*", "AZURE_*", "AAD_*", "ARM_*", "GOOGLE_*", "CLOUDSDK_*", "USE_GKE_GCLOUD_AUTH_PLUGIN", "OCI_*",
		"DIGITALOCEAN_*", "LINODE_*", "HCLOUD_*", "SCW_*", "OS_*", "IBMCLOUD_*", "VAULT_*", "TELEPORT_*", "TSH_*", "KUBELOGIN_*",
		"DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER",
	}
}

// browserNames are what a browser needs to find its parts and its fonts.
func browserNames() []string {
	return []string{"FONTCONFIG_*", "CHROME_DEVEL_SANDBOX", "LD_LIBRARY_PATH"}
}

// desktopNames are what xdg-open and its like need to find the user's browser.
func desktopNames() []string {
	return []string{
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE",
		"XDG_DATA_DIRS", "XDG_CONFIG_DIRS", "DESKTOP_SESSION", "KDE_*", "GNOME_*", "BROWSER", "WSL_*", "WSLENV",
	}
}

// Base is for processes that talk to this machine alone. user is the user's
// environment, as os.Environ returns it.
func Base(user []string) Environ {
	e := pick(user, kept()...)
	if e.Get("PATH") == "" {
		e = e.With("PATH", defaultPath)
	}
	return e
}

// Outbound is for processes that may talk to the internet: Base, and the
// user's proxies, which never lead to this machine.
func Outbound(user []string) Environ {
	e := append(Base(user), pick(user, proxies()...)...)
	no := NoProxy(user)
	return e.With("NO_PROXY", no).With("no_proxy", no)
}

// Engine is for the command of a container engine: Outbound, and what the
// user has set for the engine.
func Engine(user []string) Environ {
	return Outbound(user).Join(pick(user, engineNames()...))
}

// Guest is for processes that talk to a cluster of the user's: Outbound, and
// what the credential plugin of a kubeconfig may need.
func Guest(user []string) Environ {
	return Outbound(user).Join(pick(user, credentialNames()...))
}

// Browser is for a browser whose own files are in home. The user's folders
// are not its to write to; only fonts are read from there.
func Browser(user []string, home string) Environ {
	e := Base(user)
	data := e.Get("XDG_DATA_HOME")
	if own := e.Get("HOME"); data == "" && own != "" {
		data = path.Join(own, ".local", "share")
	}
	e = e.Without("XDG_*_HOME", "XDG_RUNTIME_DIR").Join(pick(user, browserNames()...)).With("HOME", home).With("TMPDIR", home)
	if data == "" {
		return e
	}
	return e.With("XDG_DATA_HOME", data)
}

// Desktop is for a program that opens a page in the user's own browser.
func Desktop(user []string) Environ {
	return Outbound(user).Join(pick(user, desktopNames()...))
}

// NoProxy returns the user's NO_PROXY, completed with the names of this
// machine. A single "*" stands for every host, and only by itself.
func NoProxy(user []string) string {
	e := pick(user, "NO_PROXY", "no_proxy")
	var hosts []string
	for _, list := range []string{e.Get("NO_PROXY"), e.Get("no_proxy"), strings.Join(direct(), ",")} {
		for _, host := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			if host == "*" {
				return host
			}
			if !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	return strings.Join(hosts, ",")
}

// Get returns a variable's value, "" if it is not set.
func (e Environ) Get(name string) (last string) {
	for _, pair := range e {
		if key, value, _ := strings.Cut(pair, "="); key == name {
			last = value
		}
	}
	return last
}

// With sets a variable.
func (e Environ) With(name, value string) Environ {
	return append(e.Without(name), name+"="+value)
}

// Join sets the variables of another environment.
func (e Environ) Join(other []string) Environ {
	for _, pair := range other {
		name, value, _ := strings.Cut(pair, "=")
		e = e.With(name, value)
	}
	return e
}

// Without removes the variables whose names match one of the patterns (see
// path.Match).
func (e Environ) Without(patterns ...string) Environ {
	return slices.DeleteFunc(slices.Clone(e), func(pair string) bool { return matches(pair, patterns) })
}

// Only keeps the variables whose names match one of the patterns.
func (e Environ) Only(patterns ...string) Environ { return pick(e, patterns...) }

// pick returns the variables whose names match one of the patterns. Of two
// with one name the last counts, as in exec.Cmd.
func pick(user []string, patterns ...string) Environ {
	var e Environ
	for _, pair := range user {
		if name, value, ok := strings.Cut(pair, "="); ok && matches(pair, patterns) {
			e = e.With(name, value)
		}
	}
	return e
}

func matches(pair string, patterns []string) bool {
	name, _, _ := strings.Cut(pair, "=")
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
}
