package git

import (
	"context"
	"time"

	"github.com/go-git/go-git/v6/plumbing"

	"github.com/fluxdemo/fluxdemo/demo/services/git/browse"
)

// pageHost is the server as its pages see it.
type pageHost struct{ s *Server }

// Repositories implements browse.Host.
func (h pageHost) Repositories() []string { return h.s.all() }

// Open implements browse.Host.
func (h pageHost) Open(name string) (browse.Storage, bool) {
	rp := h.s.repo(name)
	if rp == nil {
		return nil, false
	}
	return rp.open(), true
}

// Pushes implements browse.Host.
func (h pageHost) Pushes(name string) []browse.Push {
	rp := h.s.repo(name)
	if rp == nil {
		return nil
	}
	var out []browse.Push
	for _, p := range rp.pushes.all() {
		out = append(out, browse.Push{Time: p.Time, User: p.User, Ref: p.Ref, Before: plumbing.NewHash(p.Before), After: plumbing.NewHash(p.After)})
	}
	return out
}

// Deliveries implements browse.Host.
func (h pageHost) Deliveries(name string) (list []browse.Delivery, sends bool) {
	rp := h.s.repo(name)
	if rp == nil || !h.s.hooks.sends(rp) {
		return nil, false
	}
	for _, s := range h.s.hooks.sent.all() {
		state := s.Event.State
		if state == "" {
			state = "sending"
		}
		list = append(list, browse.Delivery{
			ID: s.ID, Time: s.Time, Ref: s.Event.Ref, Commit: plumbing.NewHash(s.Event.Commit), Redelivery: s.Redelivery,
			State: state, Attempts: s.Event.Attempts, Duration: time.Duration(s.Event.DurationMS) * time.Millisecond, Error: s.Event.Error,
			URL: h.s.hooks.target(), Request: shownHeaders(s.request), Body: s.Body,
			Status: s.status, Response: s.response, Answer: s.answer,
		})
	}
	return list, true
}

// Redeliver implements browse.Host.
func (h pageHost) Redeliver(ctx context.Context, name, id string) (string, error) {
	rp := h.s.repo(name)
	if rp == nil {
		return "", errNoDelivery
	}
	return h.s.hooks.redeliver(ctx, rp, id)
}

// LastEvent implements browse.Host.
func (h pageHost) LastEvent() int64 {
	_, last, _ := h.s.feed.Since(0)
	return last
}
