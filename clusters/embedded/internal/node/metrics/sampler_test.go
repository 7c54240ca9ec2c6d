package metrics

import (
	"errors"
	"math"
	"testing"
	"time"
)

// script is an operating system that says what the test wants.
type script struct {
	table table
	now   time.Time
	err   error
}

func scripted(pods func() []Pod) (*Sampler, *script) {
	o := &script{now: time.Unix(1_000_000, 0)}
	s := New(pods)
	s.read = func() (table, error) { return o.table, o.err }
	s.now = func() time.Time { return o.now }
	return s, o
}

// tick measures, after some seconds.
func (o *script) tick(s *Sampler, seconds float64, processes map[int]process) {
	o.now = o.now.Add(time.Duration(seconds * float64(time.Second)))
	o.table.processes = processes
	s.sample()
}

func only(t *testing.T, s *Sampler) PodUsage {
	t.Helper()
	pods, err := s.Pods()
	if err != nil || len(pods) != 1 {
		t.Fatalf("%d pods, %v", len(pods), err)
	}
	return pods[0]
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestRates(t *testing.T) {
	pod := Pod{UID: "1", Name: "web", Containers: []Container{{Name: "main", Main: 10}}}
	s, o := scripted(func() []Pod { return []Pod{pod} })
	stranger := process{parent: 1, start: 3, cpu: 500, memory: 1 << 40}

	o.tick(s, 0, map[int]process{10: {parent: 1, start: 5, cpu: 1, memory: 100}, 99: stranger})
	if pods, err := s.Pods(); len(pods) != 0 || err != nil {
		t.Errorf("%d pods have a rate after one sample, %v", len(pods), err)
	}
	o.tick(s, 5, map[int]process{10: {parent: 1, start: 5, cpu: 2, memory: 110}, 99: stranger})
	if u := only(t, s); !near(u.Usages[0].Cores, 0.2) || u.Usages[0].Memory != 110 || u.Window != 5*time.Second {
		t.Errorf("one process: %+v", u)
	}
	// A child with a child of its own.
	o.tick(s, 5, map[int]process{
		10: {parent: 1, start: 5, cpu: 2, memory: 110}, 11: {parent: 10, start: 6, cpu: 2, memory: 20}, 12: {parent: 11, start: 7, cpu: 1, memory: 3},
	})
	if u := only(t, s); !near(u.Usages[0].Cores, 0.4) || u.Usages[0].Memory != 133 || u.Window != 10*time.Second {
		t.Errorf("with children: %+v", u)
	}
	// They have ended, and their parent has their time.
	o.tick(s, 5, map[int]process{10: {parent: 1, start: 5, cpu: 5.5, memory: 110}})
	if u := only(t, s); !near(u.Usages[0].Cores, 0.3) || u.Usages[0].Memory != 110 || u.Window != 15*time.Second {
		t.Errorf("children that have ended: %+v", u)
	}
	// The window moves on.
	o.tick(s, 5, map[int]process{10: {parent: 1, start: 5, cpu: 5.5, memory: 110}})
	if u := only(t, s); !near(u.Usages[0].Cores, 3.5/15) || u.Window != 15*time.Second {
		t.Errorf("a sample later: %+v", u)
	}
	// The container was started again, with the same process ID by chance.
	o.tick(s, 5, map[int]process{10: {parent: 1, start: 900, cpu: 0.1, memory: 50}})
	if pods, _ := s.Pods(); len(pods) != 0 {
		t.Errorf("a new process has a rate after one sample: %+v", pods)
	}
	o.tick(s, 5, map[int]process{10: {parent: 1, start: 900, cpu: 1.1, memory: 50}})
	if u := only(t, s); !near(u.Usages[0].Cores, 0.2) || u.Window != 5*time.Second {
		t.Errorf("started again: %+v", u)
	}
}

// TestBeside counts commands that run beside a container, also once they have
// ended.
func TestBeside(t *testing.T) {
	c := Container{Name: "main", Main: 10}
	s, o := scripted(func() []Pod { return []Pod{{UID: "1", Containers: []Container{c}}} })
	main := process{parent: 1, start: 5, cpu: 1, memory: 100}
	o.tick(s, 0, map[int]process{10: main})
	c.Beside = []int{20}
	o.tick(s, 5, map[int]process{10: main, 20: {parent: 2, start: 9, cpu: 1, memory: 10}, 21: {parent: 20, start: 9, cpu: 1, memory: 1}})
	if u := only(t, s).Usages[0]; !near(u.Cores, 0.4) || u.Memory != 111 {
		t.Errorf("a shell with a child: %+v", u)
	}
	c.Beside = nil
	o.tick(s, 5, map[int]process{10: main})
	if u := only(t, s).Usages[0]; !near(u.Cores, 0.2) || u.Memory != 100 || !near(u.Seconds, 3) {
		t.Errorf("after the shell: %+v", u)
	}
}

func TestSimulatedAndWaiting(t *testing.T) {
	pods := []Pod{
		{UID: "1", Namespace: "b", Name: "simulated", Containers: []Container{{Name: "main", Simulated: true}, {Name: "waits"}}},
		{UID: "2", Namespace: "a", Name: "waits", Containers: []Container{{Name: "main"}}},
		{UID: "3", Namespace: "a", Name: "empty"},
	}
	s, o := scripted(func() []Pod { return pods })
	o.tick(s, 0, map[int]process{1: {}})
	o.tick(s, 5, map[int]process{1: {}})
	u := only(t, s)
	if u.Name != "simulated" || len(u.Containers) != 1 || len(u.Usages) != 1 || u.Usages[0] != (Usage{}) {
		t.Errorf("%+v", u)
	}
}

func TestNode(t *testing.T) {
	s, o := scripted(func() []Pod { return nil })
	o.table.cpu, o.table.memory = 1000, 1<<30
	o.tick(s, 0, nil)
	if _, ok, err := s.Node(); ok || err != nil {
		t.Errorf("a rate after one sample, %v", err)
	}
	o.table.cpu, o.table.memory = 1005, 2<<30
	o.tick(s, 5, nil)
	if u, ok, err := s.Node(); !ok || err != nil || !near(u.Cores, 1) || u.Memory != 2<<30 {
		t.Errorf("%+v, %v, %v", u, ok, err)
	}
	o.err = errors.New("no /proc")
	o.tick(s, 5, nil)
	if _, _, err := s.Node(); err == nil {
		t.Error("an error of the system is not told")
	}
	if _, err := s.Pods(); err == nil {
		t.Error("an error of the system is not told")
	}
}
