package live

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// follow hands on the events of the stream at address, and connects again when it breaks off. open is closed once the
// server has answered, or at once if there is no address.
func (w *Watcher) follow(ctx context.Context, address string, open chan struct{}, take func(data []byte)) {
	if address == "" {
		close(open)
		return
	}
	go func() {
		last, opened := "", false
		for ctx.Err() == nil {
			err := event.Follow(ctx, address, last, func() {
				if !opened {
					opened = true
					close(open)
				}
			}, func(id string, data []byte) bool {
				last = id
				take(data)
				return false
			})
			if err != nil && ctx.Err() == nil {
				w.opts.Logf("following %s: %v", address, err)
			}
			backoff.Pause(ctx, reconnect)
		}
	}()
}

// gitEvent returns what takes the Git host's events. Those from before the start, and those that a Git host which was
// started again repeats, are history.
func (w *Watcher) gitEvent() func(data []byte) {
	since := time.Now()
	return func(data []byte) {
		var ev event.NumberedGit
		if err := json.Unmarshal(data, &ev); err != nil {
			w.opts.Logf("reading an event of the Git host: %v", err)
			return
		}
		old := !ev.Time.After(since)
		if !old {
			since = ev.Time
		}
		w.tell(func(m *model, seen time.Time) { m.fromGit(ev.Git, ev.Time, old, seen) })
	}
}

// mailEvent is the same of the inbox.
func (w *Watcher) mailEvent() func(data []byte) {
	since := time.Now()
	return func(data []byte) {
		var n event.Notification
		if err := json.Unmarshal(data, &n); err != nil {
			w.opts.Logf("reading an event of the inbox: %v", err)
			return
		}
		old := !n.Received.After(since)
		if !old {
			since = n.Received
		}
		w.tell(func(m *model, seen time.Time) { m.fromInbox(n, old, seen) })
	}
}
