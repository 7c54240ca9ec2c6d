package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// suite is the Debian that nodes are made of. Its systemd (252) still starts
// on cgroup v1 by default.
const suite = "bookworm"

// packages is what a node needs beside our own binaries.
func packages() []string {
	return []string{
		"systemd", "systemd-sysv", "dbus", // what runs the rest
		"runc", "containernetworking-plugins", "libseccomp2", "pigz", // what containerd calls
		"conntrack", "ebtables", "ethtool", "iproute2", "iptables", "nftables", "kmod", "mount", "socat", "util-linux", // what kubelet and kube-proxy call
		"bash", "ca-certificates", "curl", "hostname", "jq", "procps", // what kind's own scripts call
	}
}

// bootHook takes out of systemd what makes no sense in a container: units
// that mount, check and mend a machine's devices, temporary files that are
// made before kind has mounted /tmp, kernel messages, which are the host's.
const bootHook = `cd "$1"/lib/systemd/system &&
rm -f sysinit.target.wants/systemd-tmpfiles-setup.service multi-user.target.wants/* local-fs.target.wants/* \
  basic.target.wants/* sockets.target.wants/*udev* sockets.target.wants/*initctl* "$1"/etc/systemd/system/*.wants/* &&
ln -sf /dev/null "$1"/etc/systemd/system/systemd-binfmt.service &&
echo ReadKMsg=no >> "$1"/etc/systemd/journald.conf`

// debianSum changes when debootstrap would make something else.
func debianSum() string {
	return strings.Join(append(packages(), suite, bootHook), "\n")
}

// debootstrap writes Debian's root file system to the tar file out.
func debootstrap(ctx context.Context, out string) error {
	program, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return errors.New("mmdebstrap not found; `hack/deps.sh mmdebstrap` installs it on Debian")
	}
	sources, err := aptSources("/etc/apt")
	if err != nil {
		return err
	}
	part := out + ".part"
	defer os.RemoveAll(part)
	args := []string{
		"--variant=minbase", "--format=tar", "--include=" + strings.Join(packages(), ","),
		`--aptopt=Apt::Install-Recommends "false"`,
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-include=/usr/share/doc/*/copyright",
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--customize-hook=" + bootHook, suite, part,
	}
	cmd := exec.CommandContext(ctx, program, append(args, sources...)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it cleans up
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("making Debian's root file system: mmdebstrap: %w", err)
	}
	return os.Rename(part, out)
}

// aptSources returns the files below dir that say where this machine gets
// the suite from. Without one, mmdebstrap goes to Debian's own server.
func aptSources(dir string) ([]string, error) {
	var found []string
	for _, pattern := range []string{"sources.list", "sources.list.d/*.list", "sources.list.d/*.sources"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			raw, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			if isSource(string(raw)) {
				found = append(found, name)
			}
		}
	}
	return found, nil
}

// isSource reports whether an apt source, in either of its formats, has the
// suite's main component from a Debian mirror.
func isSource(text string) bool {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "deb" && fields[0] != "Suites:" {
			continue
		}
		for i, field := range fields {
			if field == suite && (fields[0] == "Suites:" || i+1 < len(fields) && fields[i+1] == "main") {
				return true
			}
		}
	}
	return false
}
