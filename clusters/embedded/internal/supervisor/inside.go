package supervisor

import (
	"fmt"
	"sync"
)

// StateFailed is the state of a component that the supervisor cannot start
// again: the next supervisor can.
const StateFailed = "Failed"

// stateRestarting is the state of a component whose process has ended.
const stateRestarting = "Restarting"

// inside is a part of the cluster that runs in the supervisor itself.
type inside struct {
	name string

	mu  sync.Mutex
	err error
}

func (p *inside) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *inside) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// components says how the control plane is, and which parts of the supervisor
// have failed. It must not be called before the start is over.
func (s *Supervisor) components() []Component {
	var all []Component
	for _, u := range s.units() {
		if u == nil { // the start failed before it was known
			continue
		}
		now := u.status()
		if port := s.lostPort(u, now); port != 0 {
			now.State = StateFailed
			now.LastExit = fmt.Sprintf("another program has its port %d; `fluxdemo up` starts it on another one", port)
		}
		all = append(all, now)
	}
	for _, part := range s.inside {
		own := Component{Name: part.name, State: "Running", Log: LogFile(s.options.Dir)}
		if err := part.failure(); err != nil {
			own.State, own.LastExit = StateFailed, err.Error()
			all = append(all, own)
		} else if _, silent := s.liveness.of(part.name); silent {
			all = append(all, own)
		}
	}
	s.liveness.apply(all)
	return all
}
