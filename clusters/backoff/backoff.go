// Package backoff spaces out the tries of something that keeps failing, and
// waits between them.
package backoff

import (
	"context"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Backoff doubles the wait after each failure, from Min to Max. It is used by
// one goroutine at a time.
type Backoff struct {
	Min, Max time.Duration
	delay    wait.DelayFunc // nil for one that begins at Min
}

// Next returns how long to wait before the next try.
func (b *Backoff) Next() time.Duration {
	if b.delay == nil {
		b.delay = wait.Backoff{Duration: b.Min, Factor: 2, Steps: math.MaxInt, Cap: b.Max}.DelayFunc()
	}
	return b.delay()
}

// Reset begins at Min again, after a try that worked.
func (b *Backoff) Reset() { b.delay = nil }

// Wait waits before the next try. It reports false if ctx ended first.
func (b *Backoff) Wait(ctx context.Context) bool { return Pause(ctx, b.Next()) }

// Restarts is the back-off of something that is to run all the time: its first
// restart is immediate, and so is the one after a run of at least Lasting.
type Restarts struct {
	Backoff
	Lasting time.Duration
	failing bool
}

// Next returns the wait before the next start of what just ran for ran.
func (r *Restarts) Next(ran time.Duration) time.Duration {
	if ran >= r.Lasting {
		r.failing = false
	}
	if !r.failing {
		r.failing = true
		r.Reset()
		return 0
	}
	return r.Backoff.Next()
}

// Pause waits for d. It reports false if ctx ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
