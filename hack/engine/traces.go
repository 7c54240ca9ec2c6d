//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// kubeletSysctls are the settings that a kubelet changes though they are the
// whole machine's and not its container's.
func kubeletSysctls() []string {
	return []string{
		"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
	}
}

func (e *engine) sysctls() string { return filepath.Join(e.run, "sysctls.json") }

// saveSysctls writes the settings as they are now to file. Those of a run
// before, which were not restored, are the older and the right ones.
func saveSysctls(file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	values := map[string]string{}
	for _, name := range kubeletSysctls() {
		raw, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a kernel setting: %w", err)
		}
		values[name] = strings.TrimSpace(string(raw))
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o600)
}

// restoreSysctls puts back what saveSysctls has written to file.
func restoreSysctls(file string) error {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var values map[string]string
	if err := json.Unmarshal(raw, &values); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	var errs []error
	for name, value := range values {
		path := filepath.Join("/proc/sys", name)
		if now, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(now)) == value {
			continue
		}
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			errs = append(errs, fmt.Errorf("putting back a kernel setting: %w", err))
		}
	}
	return errors.Join(errs...)
}

// unmountBelow unmounts everything at or below dir, the deepest first.
func unmountBelow(dir string) error {
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for _, point := range mountsBelow(string(raw), dir) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmounting %s: %w", point, err))
		}
	}
	return errors.Join(errs...)
}

// mountsBelow returns the mount points at or below dir that mountinfo, in
// the format of proc_pid_mountinfo(5), names, the last mounted first.
func mountsBelow(mountinfo, dir string) []string {
	// The kernel writes what would end a field in octal.
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var points []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		point := plain.Replace(fields[4])
		if point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	slices.Reverse(points)
	return points
}

// removeCgroups removes the empty cgroups below which dockerd has put its
// containers. Another dockerd that runs keeps those that it uses.
func removeCgroups() error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/docker")
	if err != nil {
		return err
	}
	for _, root := range append(roots, "/sys/fs/cgroup/docker") {
		var dirs []string
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // it may go while we look
		})
		if err != nil {
			return err
		}
		for _, dir := range slices.Backward(dirs) {
			_ = os.Remove(dir) // EBUSY: it is in use
		}
	}
	return nil
}

// thaw lets those processes of the engine's containers go on, and die, that a
// runc has left frozen which was killed with the node that it ran in. Only
// cgroup v1 has such a freezer: there, a frozen process cannot be killed.
func (e *engine) thaw() error {
	containers, err := os.ReadDir(filepath.Join(e.dir, "data", "containers"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, container := range containers {
		err := filepath.WalkDir(filepath.Join("/sys/fs/cgroup/freezer/docker", container.Name()), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Base(path) != "freezer.state" {
				return err
			}
			if state, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(state)) != "FROZEN" {
				return err
			}
			return os.WriteFile(path, []byte("THAWED"), 0)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("thawing what is left of a container: %w", err)
		}
	}
	return nil
}
