package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine describes where the figures come from. What the system does not
// tell is empty or zero.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memoryBytes"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Load   string `json:"loadBefore"` // of the last 1, 5 and 15 minutes
}

func describeMachine() Machine {
	m := Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version(),
		CPU: procField("/proc/cpuinfo", "model name"),
	}
	var kilobytes int64
	if _, err := fmt.Sscanf(procField("/proc/meminfo", "MemTotal"), "%d kB", &kilobytes); err == nil {
		m.Memory = kilobytes << 10
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = string(bytes.TrimRight(name.Release[:], "\x00"))
	}
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(raw)); len(fields) >= 3 {
			m.Load = strings.Join(fields[:3], " ")
		}
	}
	return m
}

// lines describes the machine for the head of the table.
func (m Machine) lines() []string {
	cpu := m.CPU
	if cpu == "" {
		cpu = m.Arch
	}
	lines := []string{
		fmt.Sprintf("%d x %s, %.0f GiB, %s/%s", m.Cores, cpu, float64(m.Memory)/(1<<30), m.OS, m.Arch),
		fmt.Sprintf("kernel %s, %s", m.Kernel, m.Go),
	}
	if m.Load != "" {
		lines = append(lines, "load before: "+m.Load)
	}
	return lines
}

// busy reports whether others were at work when the measurements began.
func (m Machine) busy() bool {
	var load float64
	_, err := fmt.Sscan(m.Load, &load)
	return err == nil && load > float64(m.Cores)/2
}

// procField returns what follows "name:" in a file of /proc.
func procField(file, name string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
