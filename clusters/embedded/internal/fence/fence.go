// Package fence confines the processes of pods with what the kernel gives an
// ordinary user: on Linux Landlock for files, TCP ports, and signals, and
// seccomp for every other way to a network. It adds nothing to a start but a few
// system calls, because a process inherits the fence of the thread that forks.
package fence

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// Rules are what a confined process may use. Everything else of the machine is
// out of its reach: other files, other programs, other ports, UDP, and unix
// sockets. Paths that do not exist are left out.
type Rules struct {
	Run     []string // programs, and folders of programs and libraries
	Read    []string // files, and folders with all that is below them
	Write   []string // the same, to read and to change
	Devices []string // to read, to write, and to control
	Bind    []int    // TCP ports to listen on
	Connect []int    // TCP ports to connect to, at any address
	Outward bool     // connect to all TCP ports instead
	// Pods is a folder whose content pods can change, without symbolic links in
	// its path. A path below it that leads through one is an error, because it
	// could lead anywhere.
	Pods string
}

// Kernel is what this machine's kernel can confine.
type Kernel struct {
	Landlock int  // version of Landlock's interface; 0 without it
	Ports    bool // TCP ports
	Signals  bool // signals to processes outside the fence
	Sockets  bool // sockets other than TCP
}

// Confines reports whether the kernel can confine a process to its own files:
// without that, the rest is easily evaded.
func (k Kernel) Confines() bool { return k.Landlock >= minimalABI && k.Sockets }

// minimalABI is the first version of Landlock with which files can be renamed
// between folders, as Flux does with artifacts (Linux 5.19).
const minimalABI = 2

// String names what is confined, for people.
func (k Kernel) String() string {
	if !k.Confines() {
		return "this kernel has no Landlock; Linux 5.19 and newer have it"
	}
	parts := []string{"files"}
	if k.Ports {
		parts = append(parts, "TCP ports")
	}
	if k.Signals {
		parts = append(parts, "signals")
	}
	text := fmt.Sprintf("Landlock %d (%s), seccomp", k.Landlock, strings.Join(parts, ", "))
	if !k.Ports {
		text += "; TCP is open before Linux 6.7"
	}
	return text
}

// System returns rules for the files that programs of any kind read: certificate
// authorities, names, time zones, and the harmless devices.
func System() Rules {
	return Rules{
		Read: []string{
			"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
			"/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/mime.types",
			"/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo", "/usr/share/mime",
			"/sys/kernel/mm/transparent_hugepage", "/proc/sys/net/core/somaxconn", "/proc/meminfo", "/proc/stat", "/proc/cpuinfo",
		},
		Devices: []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"},
	}
}

// Tools returns rules for what a shell and its usual programs need besides
// System: programs and libraries of this machine, and terminals. Home folders
// and most of /etc are not among it.
func Tools() Rules {
	return Rules{
		Run: []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/run/current-system", "/gnu/store"},
		Read: []string{
			"/etc/passwd", "/etc/group", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload", "/etc/alternatives",
			"/etc/profile", "/etc/profile.d", "/etc/bash.bashrc", "/etc/inputrc", "/etc/terminfo", "/etc/os-release", "/etc/hostname", "/etc/locale.alias", "/etc/gitconfig", "/etc/static",
		},
		Devices: []string{"/dev/tty", "/dev/pts", "/dev/ptmx"},
	}
}

// Program returns rules for running one program. If it is linked dynamically, as
// Go does with cgo, it needs the machine's libraries, too.
func Program(path string) Rules {
	r := Rules{Run: []string{path}}
	file, err := elf.Open(path)
	if err != nil {
		return r // to run it will say why
	}
	defer file.Close() //nolint:errcheck // it was only read
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		r.Run = append(r.Run, "/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/nix/store", "/gnu/store")
		r.Read = append(r.Read, "/etc/ld.so.cache", "/etc/ld.so.preload")
	}
	return r
}

// And returns the rules with others added.
func (r Rules) And(others ...Rules) Rules {
	for _, o := range others {
		r.Run, r.Read = join(r.Run, o.Run), join(r.Read, o.Read)
		r.Write, r.Devices = join(r.Write, o.Write), join(r.Devices, o.Devices)
		r.Bind, r.Connect = join(r.Bind, o.Bind), join(r.Connect, o.Connect)
		r.Pods, r.Outward = cmp.Or(r.Pods, o.Pods), r.Outward || o.Outward
	}
	return r
}

// join makes a list of its own: rules are shared by processes that start side
// by side.
func join[T any](a, b []T) []T { return append(append(make([]T, 0, len(a)+len(b)), a...), b...) }
