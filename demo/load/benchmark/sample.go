package benchmark

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/demo/load"
)

// Sample is how things are at a time, in seconds since the run's first
// Kustomization.
type Sample struct {
	At     float64        `json:"at"`
	Ready  int            `json:"ready"`
	Depth  map[string]int `json:"depth"` // by controller
	Memory int64          `json:"memoryBytes"`
}

// sampleEvery is how often a sample is taken. It is a time series: there is
// no event to wait for.
const sampleEvery = time.Second

// sampleShare is how much of the time taking samples may take; most of it is
// waiting for an answer. Metrics grow with the number of objects: with two
// thousand, asking every second took a tenth of kustomize-controller's
// processor time.
const sampleShare = 0.1

// maxSamples is how many samples a run keeps; beyond it, every second one
// goes, and half as many are taken from then on.
const maxSamples = 600

// sample takes samples until ctx ends; what it returns waits for that.
func sample(ctx context.Context, observer *load.Observer, b *bench) (samples func() []Sample) {
	done := make(chan []Sample, 1)
	start := time.Now()
	go func() {
		var all []Sample
		every := sampleEvery
		timer := time.NewTimer(every)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- all
				return
			case <-timer.C:
			}
			before := time.Now()
			s, err := b.sampleNow(ctx, observer)
			if err == nil { // else a controller is too busy to answer: the gap shows it
				s.At = time.Since(start).Seconds()
				all = append(all, s)
			}
			if len(all) == maxSamples {
				for i := range maxSamples / 2 {
					all[i] = all[2*i]
				}
				all = all[:maxSamples/2]
				every *= 2
			}
			timer.Reset(max(every, time.Duration(float64(time.Since(before))/sampleShare)))
		}
	}()
	return func() []Sample { return <-done }
}

func (b *bench) sampleNow(ctx context.Context, observer *load.Observer) (Sample, error) {
	s := Sample{Ready: observer.Ready(load.Quiet), Depth: map[string]int{}}
	controllers, err := load.Controllers(ctx, b.kube)
	if err != nil {
		return s, err
	}
	for _, c := range controllers {
		s.Depth[c.App] = c.Depth
	}
	status, err := b.cluster.Status(ctx)
	if err != nil {
		return s, err
	}
	for _, part := range status.Components {
		s.Memory += part.Memory
	}
	return s, nil
}

// Process is what one component has used.
type Process struct {
	Name     string  `json:"name"`
	Memory   int64   `json:"memoryBytes"`
	CPU      float64 `json:"cpuSeconds,omitempty"` // 0 where it runs in a container
	restarts int
}

// processes lists the components of the cluster with what they have used
// since they were started.
func (b *bench) processes(ctx context.Context) ([]Process, error) {
	status, err := b.cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, part := range status.Components {
		all = append(all, Process{Name: componentName(part), Memory: part.Memory, CPU: cpuSeconds(part.PID), restarts: part.Restarts})
	}
	slices.SortStableFunc(all, func(a, b Process) int { return int(b.Memory - a.Memory) })
	return all, nil
}

// componentName is a component's name without what is random in a pod's.
func componentName(part clusters.Component) string {
	if part.Namespace == "" {
		return part.Name
	}
	words := strings.Split(part.Name[strings.LastIndex(part.Name, "/")+1:], "-")
	return strings.Join(words[:max(1, len(words)-2)], "-")
}

func cpuSeconds(pid int) float64 {
	if pid == 0 || runtime.GOOS != "linux" {
		return 0
	}
	process, err := procfs.NewProc(pid)
	if err != nil {
		return 0
	}
	stat, err := process.Stat()
	if err != nil {
		return 0
	}
	return stat.CPUTime()
}

// since returns after, with the processor time since before.
func since(before, after []Process) []Process {
	for i := range after {
		for _, b := range before {
			if b.Name == after[i].Name && b.CPU <= after[i].CPU {
				after[i].CPU -= b.CPU
			}
		}
	}
	return after
}

// restarts is how often components were restarted in between.
func restarts(before, after []Process) int {
	count := func(all []Process) (n int) {
		for _, p := range all {
			n += p.restarts
		}
		return n
	}
	return count(after) - count(before)
}
