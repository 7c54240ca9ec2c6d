package process

import "time"

// Backoff says how long to wait before the next restart of something that
// keeps ending: nothing at first, then doubling from Min to Max. Something
// that ran longer than Reset starts over.
type Backoff struct {
	Min, Max, Reset time.Duration
	failures        int
}

// Next returns the wait before the next start of what just ran for ran.
func (b *Backoff) Next(ran time.Duration) time.Duration {
	if ran >= b.Reset {
		b.failures = 0
	}
	b.failures++
	if b.failures == 1 {
		return 0
	}
	wait := b.Min
	for range b.failures - 2 {
		if wait *= 2; wait >= b.Max {
			return b.Max
		}
	}
	return wait
}
