package backoff_test

import (
	"context"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
)

func TestBackoff(t *testing.T) {
	b := backoff.Backoff{Min: time.Second, Max: 5 * time.Second}
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		if got := b.Next(); got != want*time.Second {
			t.Errorf("wait %d: %s, want %d s", i+1, got, want)
		}
	}
	b.Reset()
	if got := b.Next(); got != time.Second {
		t.Errorf("after a reset: %s, want 1 s", got)
	}
}

func TestRestarts(t *testing.T) {
	r := backoff.Restarts{Backoff: backoff.Backoff{Min: time.Second, Max: 5 * time.Second}, Lasting: time.Minute}
	short, long := time.Second, 2*time.Minute
	for i, step := range []struct{ ran, want time.Duration }{
		{short, 0}, {short, time.Second}, {short, 2 * time.Second}, {short, 4 * time.Second}, {short, 5 * time.Second}, {short, 5 * time.Second},
		{long, 0}, {short, time.Second},
	} {
		if got := r.Next(step.ran); got != step.want {
			t.Errorf("end %d: wait %s, want %s", i+1, got, step.want)
		}
	}
}

func TestPause(t *testing.T) {
	if !backoff.Pause(t.Context(), 0) {
		t.Error("a pause of nothing was interrupted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if backoff.Pause(ctx, time.Hour) {
		t.Error("the pause outlived its context")
	}
	b := backoff.Backoff{Min: time.Hour, Max: time.Hour}
	if b.Wait(ctx) {
		t.Error("the wait outlived its context")
	}
}
