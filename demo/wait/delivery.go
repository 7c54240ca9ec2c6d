package wait

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// Webhook says which delivery of a webhook to wait for. Zero fields match everything.
type Webhook struct {
	Commit string // the commit that was pushed, in full
	Status int    // what the receiver answered, such as 200
}

// DescribeDelivery returns in one line what became of a webhook.
func DescribeDelivery(ev *event.Git) string {
	commit := ev.Commit[:min(len(ev.Commit), 8)]
	if ev.Error != "" {
		return fmt.Sprintf("webhook for %s: %s", commit, ev.Error)
	}
	return fmt.Sprintf("webhook for %s: %s after %d ms", commit, ev.State, ev.DurationMS)
}

func (w Webhook) fits(ev *event.Git) bool {
	return ev.Kind == event.Delivery && (w.Commit == "" || w.Commit == ev.Commit) && (w.Status == 0 || w.Status == ev.Status)
}

// Delivery waits until the Git host has sent a webhook that w fits, one from before the call included, and returns
// what became of it. repository is the address to clone from. It listens to the Git host's stream of events, and
// begins anew when the Git host was restarted. ctx carries the deadline; the error says what was delivered last.
func Delivery(ctx context.Context, repository string, w Webhook) (*event.Git, error) {
	base, err := url.Parse(repository)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("waiting for a webhook: %q is not a repository address such as http://127.0.0.1:30080/fleet.git", repository)
	}
	events := (&url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/events"}).String()
	var (
		last  = errors.New("the Git host has not delivered a webhook yet")
		found *event.Git
	)
	again(ctx, func() bool {
		err := event.Follow(ctx, events, "", nil, func(_ string, data []byte) bool {
			ev := &event.Git{}
			if err := json.Unmarshal(data, ev); err != nil {
				last = fmt.Errorf("reading the Git host's events: %w", err)
				return false
			}
			if w.fits(ev) {
				found = ev
				return true
			}
			if ev.Kind == event.Delivery {
				last = errors.New("the last one was: " + DescribeDelivery(ev))
			}
			return false
		})
		if err != nil && ctx.Err() == nil {
			last = err
		}
		return found != nil
	})
	if found == nil {
		return nil, fmt.Errorf("waiting for a webhook of %s: %w: %w", repository, context.Cause(ctx), last)
	}
	return found, nil
}
