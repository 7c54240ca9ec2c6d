// Package metrics measures what the processes of pods use, and serves that as
// kubectl top, autoscalers, and scrapers expect it. It reads the operating
// system's own counters, and knows only the pods that its caller names.
package metrics

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// interval is how often the processes are measured.
	interval = 5 * time.Second
	// span is the time over which a rate is taken, once there are enough
	// samples.
	span = 15 * time.Second
)

// Pod is a pod that is to be measured.
type Pod struct {
	Namespace, Name, UID string
	Labels               map[string]string
	Started              time.Time
	Containers           []Container
}

// Container is one container of a pod.
type Container struct {
	Name    string
	Started time.Time
	// Main is the ID of the container's process, and Beside are those of the
	// commands that run beside it; what they have started counts too.
	Main   int
	Beside []int
	// Simulated containers have no process, and use nothing.
	Simulated bool
}

// Usage is what something uses.
type Usage struct {
	Cores   float64 // over the window
	Memory  int64   // resident, in bytes
	Seconds float64 // CPU time since the start
}

// PodUsage is a measured pod.
type PodUsage struct {
	Pod
	Usages []Usage // of Containers, in their order
	At     time.Time
	Window time.Duration
}

// NodeUsage is what the whole machine uses.
type NodeUsage struct {
	Usage
	At     time.Time
	Window time.Duration
}

// Sampler measures pods again and again.
type Sampler struct {
	pods  func() []Pod
	read  func() (table, error)
	now   func() time.Time
	every time.Duration

	mu      sync.Mutex
	samples []sample           // the oldest first, at most span apart
	life    map[string]counter // of each container that runs
	failure error
}

// New returns a sampler of the pods that the function lists, each time anew.
func New(pods func() []Pod) *Sampler {
	return &Sampler{pods: pods, read: readTable, now: time.Now, every: interval, life: map[string]counter{}}
}

// process is one line of the table of processes.
type process struct {
	parent int
	start  uint64  // in clock ticks since the machine started
	cpu    float64 // seconds, with those of children that have ended
	memory int64
}

// table is what the operating system says at one time.
type table struct {
	processes map[int]process
	cpu       float64 // seconds that all CPUs have worked
	memory    int64   // bytes in use
}

// counter adds up a container's CPU time, which the operating system forgets
// of commands beside it once they have ended.
type counter struct {
	main   identity
	gone   float64
	beside map[identity]float64
}

// identity tells processes apart that have had the same ID.
type identity struct {
	pid   int
	start uint64
}

// sample is one measurement.
type sample struct {
	at         time.Time
	pods       []Pod
	containers map[string]measured
	node       Usage
}

type measured struct {
	main identity // zero if it is simulated
	Usage
}

// Run measures until ctx ends.
func (s *Sampler) Run(ctx context.Context) {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		s.sample()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sample measures once.
func (s *Sampler) sample() {
	pods := s.pods()
	t, err := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
	if err != nil {
		return
	}
	now := sample{at: s.now(), pods: pods, containers: map[string]measured{}, node: Usage{Memory: t.memory, Seconds: t.cpu}}
	children := t.children()
	life := map[string]counter{}
	for _, pod := range pods {
		for _, c := range pod.Containers {
			key := pod.UID + "/" + c.Name
			if c.Simulated {
				now.containers[key] = measured{}
				continue
			}
			main, ok := t.processes[c.Main]
			if !ok {
				continue
			}
			id := identity{c.Main, main.start}
			before := s.life[key]
			if before.main != id {
				before = counter{main: id}
			}
			counts := counter{main: id, gone: before.gone, beside: map[identity]float64{}}
			usage := t.tree(c.Main, children)
			for _, pid := range c.Beside {
				if p, ok := t.processes[pid]; ok {
					more := t.tree(pid, children)
					counts.beside[identity{pid, p.start}] = more.Seconds
					usage.Memory += more.Memory
					usage.Seconds += more.Seconds
				}
			}
			for other, seconds := range before.beside {
				if _, runs := counts.beside[other]; !runs {
					counts.gone += seconds
				}
			}
			usage.Seconds += counts.gone
			life[key] = counts
			now.containers[key] = measured{id, usage}
		}
	}
	s.life = life
	s.samples = append(s.samples, now)
	s.samples = slices.DeleteFunc(s.samples, func(old sample) bool { return now.at.Sub(old.at) > span+s.every/2 })
}

func (t table) children() map[int][]int {
	list := map[int][]int{}
	for pid, p := range t.processes {
		list[p.parent] = append(list[p.parent], pid)
	}
	return list
}

// tree adds up a process and all that it has started.
func (t table) tree(root int, children map[int][]int) Usage {
	p := t.processes[root]
	sum := Usage{Memory: p.memory, Seconds: p.cpu}
	for _, child := range children[root] {
		more := t.tree(child, children)
		sum.Memory += more.Memory
		sum.Seconds += more.Seconds
	}
	return sum
}

// Pods returns the pods that have been measured long enough for a rate, by
// namespace and name. It returns an error if this machine cannot measure.
func (s *Sampler) Pods() ([]PodUsage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil || len(s.samples) == 0 {
		return nil, s.failure
	}
	now := s.samples[len(s.samples)-1]
	var list []PodUsage
	for _, pod := range now.pods {
		if usage, ok := s.pod(now, pod); ok {
			list = append(list, usage)
		}
	}
	slices.SortFunc(list, func(a, b PodUsage) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list, nil
}

// pod returns the usage of a pod's containers since the oldest sample that has
// all of them. Those that do not run are left out.
func (s *Sampler) pod(now sample, pod Pod) (PodUsage, bool) {
	result := PodUsage{Pod: pod, At: now.at}
	result.Containers = slices.DeleteFunc(slices.Clone(pod.Containers), func(c Container) bool {
		_, ok := now.containers[pod.UID+"/"+c.Name]
		return !ok
	})
	if len(result.Containers) == 0 {
		return result, false
	}
	for _, old := range s.samples[:len(s.samples)-1] {
		var usages []Usage
		for _, c := range result.Containers {
			key := pod.UID + "/" + c.Name
			before, ok := old.containers[key]
			if !ok || before.main != now.containers[key].main {
				break
			}
			usages = append(usages, rate(before.Usage, now.containers[key].Usage, now.at.Sub(old.at)))
		}
		if len(usages) == len(result.Containers) {
			result.Usages, result.Window = usages, now.at.Sub(old.at)
			return result, true
		}
	}
	return result, false
}

// Node returns what the machine uses; ok is false as long as there is no rate.
func (s *Sampler) Node() (usage NodeUsage, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil || len(s.samples) < 2 {
		return NodeUsage{}, false, s.failure
	}
	old, now := s.samples[0], s.samples[len(s.samples)-1]
	window := now.at.Sub(old.at)
	return NodeUsage{Usage: rate(old.node, now.node, window), At: now.at, Window: window}, true, nil
}

// rate adds the rate to what is used now. A process whose parent has ended is
// no longer in the tree: its time is missing then, and the rate is not less
// than 0.
func rate(old, now Usage, window time.Duration) Usage {
	if window > 0 {
		now.Cores = max(0, (now.Seconds-old.Seconds)/window.Seconds())
	}
	return now
}
