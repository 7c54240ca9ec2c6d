package supervisor

import (
	"sync"
	"time"
)

// StepState is how far a step of the start is.
type StepState string

// The states of a step.
const (
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
)

// Step is news of one step of the start. The last one of a start has an
// empty name: it says how the whole went.
type Step struct {
	Name    string        `json:"name,omitempty"`
	State   StepState     `json:"state"`
	Took    time.Duration `json:"took,omitempty"` // since the start, nanoseconds
	Message string        `json:"message,omitempty"`
	Log     string        `json:"log,omitempty"` // file with the details of a failure
}

// progress keeps the news of the start and tells them to anyone who asks,
// from the beginning.
type progress struct {
	start time.Time

	mu    sync.Mutex
	steps []Step
	ended bool
	more  chan struct{} // closed and replaced whenever there is news
}

func newProgress() *progress {
	return &progress{start: time.Now(), more: make(chan struct{})}
}

// Start implements clusters.Steps. The end of a step that has failed is no news: that of the start follows.
func (p *progress) Start(name string) func(error) {
	p.add(Step{Name: name, State: StepRunning})
	return func(err error) {
		if err == nil {
			p.add(Step{Name: name, State: StepDone})
		}
	}
}

func (p *progress) add(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	s.Took = time.Since(p.start)
	p.steps = append(p.steps, s)
	p.ended = s.Name == "" && s.State != StepRunning
	close(p.more)
	p.more = make(chan struct{})
}

// from returns the news after the first n, whether they end there, and a
// channel that is closed when there are more.
func (p *progress) from(n int) (steps []Step, ended bool, more <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.steps[n:], p.ended, p.more
}
