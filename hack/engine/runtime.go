//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// runtimeName is this program's name when dockerd calls it instead of runc.
const runtimeName = "runc-within-bounds"

// runtime returns dockerd's flags for the container runtime. Docker before
// version 23 gives a privileged container every capability that the kernel
// knows, and runc fails where one of them is not in the bounding set of the
// machine's processes. There, this program goes in between.
func (e *engine) runtime() ([]string, error) {
	bounds, err := bounding()
	if err != nil {
		return nil, err
	}
	if bounds.all() {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// A copy: `go run` removes its program when it ends.
	raw, err := os.ReadFile(self)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(e.dir, runtimeName)
	if err := os.WriteFile(path, raw, 0o755); err != nil {
		return nil, err
	}
	return []string{"--add-runtime=" + runtimeName + "=" + path, "--default-runtime=" + runtimeName}, nil
}

// becomeRunc takes the capabilities that this process may not hand on out of
// the file that tells runc what to start, and becomes runc. It returns only
// if that fails.
func becomeRunc(args, env []string) error {
	bounds, err := bounding()
	if err != nil {
		return err
	}
	if file := startFile(args); file != "" {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if raw, err = limit(raw, bounds); err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args...), env)
}

// startFile returns the file that says what runc has to start: config.json
// in the bundle of a container, or the file with a process for exec. It is
// empty if runc starts nothing.
func startFile(args []string) string {
	values := map[string]string{}
	verb := ""
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--bundle", "-b":
			values["bundle"] = value
		case "--process", "-p":
			values["process"] = value
		case "create", "run", "exec":
			if verb == "" {
				verb = name
			}
		}
	}
	switch {
	case verb == "exec":
		return values["process"]
	case verb != "" && values["bundle"] != "":
		return filepath.Join(values["bundle"], "config.json")
	}
	return ""
}

// limit returns the JSON of an OCI config or process without the
// capabilities that are out of bounds.
func limit(raw []byte, bounds capabilities) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // an int64 must stay one
	var spec map[string]any
	if err := decoder.Decode(&spec); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON object")
	}
	process := spec
	if inner, ok := spec["process"].(map[string]any); ok {
		process = inner
	}
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		list, ok := set.([]any)
		if !ok {
			continue
		}
		granted := []any{}
		for _, capability := range list {
			if name, ok := capability.(string); !ok || bounds.has(name) {
				granted = append(granted, capability)
			}
		}
		sets[name] = granted
	}
	return json.Marshal(spec)
}

// capabilities is a set of capabilities and the number of the last one that
// the kernel knows.
type capabilities struct {
	set  uint64
	last int
}

func (c capabilities) all() bool { return c.set == 1<<(c.last+1)-1 }

// has reports whether the capability called name is in the set. What we have
// never heard of is runc's to judge.
func (c capabilities) has(name string) bool {
	for number, known := range strings.Fields(capabilityNames) {
		if "CAP_"+known == name {
			return c.set>>number&1 == 1
		}
	}
	return true
}

// capabilityNames lists the names in the order of their numbers, see
// capabilities(7) and linux/capability.h.
const capabilityNames = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`

// bounding returns the capabilities that this process may hand on.
func bounding() (capabilities, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return capabilities{}, err
	}
	last, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return capabilities{}, fmt.Errorf("reading the number of capabilities: %w", err)
	}
	if raw, err = os.ReadFile("/proc/self/status"); err != nil {
		return capabilities{}, err
	}
	for line := range strings.Lines(string(raw)) {
		if hex, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			if err != nil {
				return capabilities{}, fmt.Errorf("reading the bounding set: %w", err)
			}
			return capabilities{set: set, last: last}, nil
		}
	}
	return capabilities{}, fmt.Errorf("the kernel does not tell the bounding set")
}
