package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// component is what `fluxdemo status -o json` says of a part that runs.
type component struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`
	Memory int64  `json:"memoryBytes"`
}

func measureIdle(ctx context.Context, o options, report *Report) (err error) {
	c, err := newCluster(o, "idle")
	if err != nil {
		return err
	}
	defer c.closing(ctx, &err)
	if _, err := c.up(ctx); err != nil {
		return err
	}
	before, err := components(ctx, c)
	if err != nil {
		return err
	}
	used, err := cpuTimes(before)
	if err != nil {
		return err
	}
	start := time.Now()
	o.say("  quiet for %s", o.idle)
	// This is no wait for a state: the length of time is what is measured.
	timer := time.NewTimer(o.idle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	usedNow, err := cpuTimes(before)
	if err != nil {
		return fmt.Errorf("a component has ended meanwhile: %w", err)
	}
	window := time.Since(start)
	after, err := components(ctx, c)
	if err != nil {
		return err
	}

	var memory, shared int64
	var busy time.Duration
	for _, part := range after {
		memory += part.Memory
		shared += proportional(part.PID)
		busy += usedNow[part.PID] - used[part.PID]
		o.say("  %-50s %5.1f MB %6.2f %%", part.Name, float64(part.Memory)/1e6,
			percent(usedNow[part.PID]-used[part.PID], window))
	}
	report.add(
		figure("idle", "memory of the whole cluster (RSS)", "MB", statOnce, []float64{float64(memory) / 1e6}).atMost(1200),
		figure("idle", "of it, shared pages once (PSS)", "MB", statOnce, []float64{float64(shared) / 1e6}),
		figure("idle", "processor, of one core", "%", statOnce, []float64{percent(busy, window)}).below(10),
	)
	return nil
}

func percent(part, whole time.Duration) float64 { return 100 * part.Seconds() / whole.Seconds() }

// proportional is the memory of a process in bytes in which a page that
// several processes share counts once in all of them together. Where the
// system does not tell, it is 0.
func proportional(pid int) int64 {
	var kilobytes int64
	_, _ = fmt.Sscanf(procField(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss"), "%d kB", &kilobytes)
	return kilobytes << 10
}

// components lists the parts of the cluster that have a process.
func components(ctx context.Context, c *cluster) ([]component, error) {
	_, out, err := c.fluxdemo(ctx, "status", "-o", "json")
	if err != nil {
		return nil, err
	}
	var status struct {
		Cluster struct {
			Components []component `json:"components"`
		} `json:"cluster"`
	}
	if err := json.Unmarshal(out, &status); err != nil {
		return nil, fmt.Errorf("reading the status: %w", err)
	}
	var found []component
	for _, part := range status.Cluster.Components {
		if part.PID != 0 {
			found = append(found, part)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("the status names no processes")
	}
	return found, nil
}

// cpuTimes returns how long each component has been running on a processor.
func cpuTimes(parts []component) (map[int]time.Duration, error) {
	times := map[int]time.Duration{}
	for _, part := range parts {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", part.PID))
		if err != nil {
			return nil, fmt.Errorf("%s: %w (Linux only)", part.Name, err)
		}
		if times[part.PID], err = cpuTime(string(raw)); err != nil {
			return nil, fmt.Errorf("%s: %w", part.Name, err)
		}
	}
	return times, nil
}

// tick is the unit of times in /proc (USER_HZ is 100 everywhere).
const tick = 10 * time.Millisecond

// cpuTime reads user and system time, fields 14 and 15, from a line of
// /proc/PID/stat. The name, field 2, may have blanks and brackets in it.
func cpuTime(stat string) (time.Duration, error) {
	rest := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(rest) < 13 {
		return 0, fmt.Errorf("cannot read %q", stat)
	}
	var user, system int64
	if _, err := fmt.Sscan(rest[11], &user); err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(rest[12], &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * tick, nil
}
