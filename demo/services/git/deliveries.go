package git

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/google/uuid"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

const (
	signatureHeader = "X-Hub-Signature-256"
	keptAnswer      = 4 << 10 // bytes of an answer that the pages show
)

// sent is a webhook as the pages show it: what was sent last, and what was answered.
type sent struct {
	ID         string // of this entry; that of the delivery, if it is not a second one
	Repository string
	Time       time.Time
	Redelivery bool
	Event      event.Git
	Body       string
	exchange
}

// sentLog remembers the last webhooks, until the server ends.
type sentLog struct {
	mu   sync.Mutex
	last []*sent // oldest first
}

// add remembers a webhook, and returns what update takes.
func (l *sentLog) add(s sent) *sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.last); n >= remembered {
		l.last = append([]*sent(nil), l.last[n-remembered+1:]...)
	}
	l.last = append(l.last, &s)
	return &s
}

func (l *sentLog) update(s *sent, change func(*sent)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(s)
}

// state notes what has become of a delivery. One that was never tried is not listed: a newer one stands for it.
func (l *sentLog) state(ev event.Git) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.last {
		if s.ID == ev.Delivery {
			s.Event = ev
		}
	}
}

// all returns copies, newest first.
func (l *sentLog) all() []sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []sent
	for i := len(l.last) - 1; i >= 0; i-- {
		out = append(out, *l.last[i])
	}
	return out
}

var errNoDelivery = errors.New("this delivery is not remembered any more")

// redeliver sends the body of an earlier delivery once more, under the ID of that delivery, as GitHub does, and returns
// the ID of the new entry. The error is only for what was not tried; what the receiver says is in the entry.
func (n *notifier) redeliver(ctx context.Context, rp *repo, id string) (string, error) {
	var old *sent
	for _, s := range n.sent.all() {
		if s.ID == id && s.Repository == rp.name {
			old = &s
			break
		}
	}
	if old == nil || !n.sends(rp) {
		return "", errNoDelivery
	}
	began := time.Now()
	ev := old.Event
	ev.Kind, ev.Attempts, ev.Error = event.Delivery, 1, ""
	s := sent{ID: uuid.NewString(), Repository: rp.name, Time: began.UTC(), Redelivery: true, Body: old.Body}
	x, err := n.attempt(ctx, ev.Delivery, []byte(old.Body))
	if ctx.Err() != nil {
		return "", fmt.Errorf("sending the webhook again: %w", ctx.Err())
	}
	ev.State, ev.Status, ev.DurationMS = event.Delivered, x.status, time.Since(began).Milliseconds()
	if err != nil {
		ev.State, ev.Error = event.Failed, err.Error()
	}
	s.Event, s.exchange = ev, x
	n.sent.add(s)
	n.feed.Add(ev)
	n.log.Info("webhook again", "state", ev.State, "repository", ev.Repository, "ref", ev.Ref, "commit", ev.Commit, "status", ev.Status, "error", ev.Error)
	if err == nil {
		n.caughtUp(rp, ev)
	}
	return s.ID, nil
}

// caughtUp notes that the receiver knows the newest commit of a branch, if that is what was delivered.
func (n *notifier) caughtUp(rp *repo, ev event.Git) {
	tips, err := rp.tips()
	if ref := plumbing.ReferenceName(ev.Ref); err == nil && tips[ref].Equal(plumbing.NewHash(ev.Commit)) {
		err = rp.setDelivered(ref, tips[ref])
	}
	if err != nil {
		n.log.Warn("a restart will deliver this push again", "error", err.Error())
	}
}

// redact removes the secrets of the webhook from an answer: the key, and the path of the URL.
func (n *notifier) redact(s string) string {
	s = strings.ReplaceAll(s, n.cfg.WebhookToken, hidden)
	if u, err := url.Parse(n.cfg.WebhookURL); err == nil && len(u.Path) > 1 {
		s = strings.ReplaceAll(s, strings.TrimPrefix(u.Path, "/"), hidden)
	}
	return s
}

// hidden stands for a secret.
const hidden = "(hidden)"

// target is the address that webhooks go to, without the path, which is a secret.
func (n *notifier) target() string {
	u, err := url.Parse(n.cfg.WebhookURL)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/" + hidden
}

// shownHeaders are a request's headers for the pages. With the signature, others could send the same webhook.
func shownHeaders(h http.Header) http.Header {
	h = h.Clone()
	if h != nil {
		h.Set(signatureHeader, hidden)
	}
	return h
}
