package git

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/google/uuid"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

const (
	firstPause     = 100 * time.Millisecond // between the first attempts; doubles
	longestPause   = 5 * time.Second
	attemptTimeout = 5 * time.Second
)

// notifier delivers the pushes of one repository to the webhook. Each branch has at most one delivery under way, so that the receiver sees
// the pushes in order; of those that wait, only the newest counts.
type notifier struct {
	cfg    Config
	repo   string // the name of the only repository whose pushes are delivered
	feed   *serve.Feed[event.Git]
	sent   *sentLog
	log    *slog.Logger
	client *http.Client
	start  func(f func(ctx context.Context)) // calls f in a goroutine; ctx ends with close
	stop   func()                            // ends those goroutines, and waits for them

	mu     sync.Mutex
	closed bool
	lanes  map[laneKey]*lane
}

type laneKey struct {
	repo string
	ref  plumbing.ReferenceName
}

// lane is the deliveries of one branch.
type lane struct {
	next  *delivery     // the newest push that has not been tried yet
	newer chan struct{} // has one token when next was set
}

// delivery is one webhook on its way.
type delivery struct {
	repo   *repo
	update refUpdate
	since  time.Time
	event  event.Git
}

func newNotifier(cfg Config, repo string, feed *serve.Feed[event.Git], log *slog.Logger) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	var lanes sync.WaitGroup
	return &notifier{
		cfg: cfg, repo: repo, feed: feed, sent: &sentLog{}, log: log, lanes: map[laneKey]*lane{},
		start: func(f func(ctx context.Context)) { lanes.Go(func() { f(ctx) }) },
		stop:  func() { cancel(); lanes.Wait() },
		client: &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
			Timeout:   attemptTimeout,
			// A signed push is for the configured receiver only, so redirects are not followed.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// close gives up what is under way, without forgetting it: the next start finds it in the journals.
func (n *notifier) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.stop()
	n.client.CloseIdleConnections()
}

// sends says whether the pushes of a repository are delivered.
func (n *notifier) sends(rp *repo) bool { return n.cfg.WebhookURL != "" && rp.name == n.repo }

// push records a received push and starts its delivery.
func (n *notifier) push(rp *repo, u refUpdate) {
	n.feed.Add(newEvent(event.Push, rp, u))
	n.enqueue(rp, u)
}

// resume starts the deliveries that an earlier run owes: those of the references that have moved since the last one.
func (n *notifier) resume(rp *repo) error {
	if !n.sends(rp) {
		return nil
	}
	tips, err := rp.tips()
	if err != nil {
		return fmt.Errorf("repository %s: %w", rp.name, err)
	}
	done := rp.delivered()
	for ref, h := range tips {
		if before := done[ref.String()]; before != h.String() {
			n.enqueue(rp, refUpdate{Ref: ref, Before: plumbing.NewHash(before), After: h})
		}
	}
	for ref, before := range done {
		if name := plumbing.ReferenceName(ref); tips[name].IsZero() {
			n.enqueue(rp, refUpdate{Ref: name, Before: plumbing.NewHash(before)})
		}
	}
	return nil
}

func (n *notifier) enqueue(rp *repo, u refUpdate) {
	if !n.sends(rp) {
		return
	}
	d := &delivery{repo: rp, update: u, since: time.Now()}
	key := laneKey{rp.name, u.Ref}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	l := n.lanes[key]
	if l == nil {
		l = &lane{newer: make(chan struct{}, 1)}
		n.lanes[key] = l
		n.start(func(ctx context.Context) { n.drive(ctx, key, l) })
	}
	if l.next != nil {
		n.superseded(l.next, d)
	}
	l.next = d
	select {
	case l.newer <- struct{}{}:
	default:
	}
}

// drive delivers one branch's pushes until none is left or ctx ends.
func (n *notifier) drive(ctx context.Context, key laneKey, l *lane) {
	for {
		n.mu.Lock()
		d := l.next
		l.next = nil
		select {
		case <-l.newer: // the token was for d
		default:
		}
		if d == nil || n.closed {
			delete(n.lanes, key)
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		n.deliver(ctx, d, l)
	}
}

// superseded hands on to the newer delivery what the receiver has not heard of.
func (n *notifier) superseded(old, newer *delivery) {
	newer.update.Before = old.update.Before
	n.record(old, event.Superseded)
}

// deliver tries until the receiver accepts, a newer push comes, the time is up, or ctx ends.
func (n *notifier) deliver(ctx context.Context, d *delivery, l *lane) {
	d.event = newEvent(event.Delivery, d.repo, d.update)
	d.event.Delivery = uuid.NewString()
	body, err := payload(n.cfg, d.repo, d.update)
	if err != nil {
		d.event.Error = err.Error()
		n.record(d, event.Failed)
		return
	}
	w := n.sent.add(sent{ID: d.event.Delivery, Repository: d.repo.name, Time: time.Now().UTC(), Event: d.event, Body: string(body)})
	deadline := time.NewTimer(n.cfg.RetryFor)
	defer deadline.Stop()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		d.event.Attempts++
		var x exchange
		x, err = n.attempt(ctx, d.event.Delivery, body)
		d.event.Status = x.status
		if ctx.Err() != nil {
			return
		}
		n.sent.update(w, func(s *sent) { s.exchange = x })
		if err == nil {
			d.event.Error = ""
			if err := d.repo.setDelivered(d.update.Ref, d.update.After); err != nil {
				n.log.Warn("a restart will deliver this push again", "error", err.Error())
			}
			n.record(d, event.Delivered)
			return
		}
		d.event.Error = err.Error()
		if d.event.Attempts == 1 {
			n.record(d, event.Retrying)
		}
		retry := time.NewTimer(pause)
		select {
		case <-retry.C:
			continue
		case <-l.newer:
			n.mu.Lock()
			n.superseded(d, l.next)
			n.mu.Unlock()
		case <-deadline.C:
			n.record(d, event.Failed)
		case <-ctx.Done():
		}
		retry.Stop()
		return
	}
}

// exchange is what was sent to the receiver, and what it has answered. It holds no secrets.
type exchange struct {
	request  http.Header
	status   int // 0 if there was no answer
	response http.Header
	answer   string // the beginning
}

// attempt sends the webhook once.
func (n *notifier) attempt(ctx context.Context, delivery string, body []byte) (x exchange, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.cfg.WebhookURL, bytes.NewReader(body))
	if err != nil {
		return x, errors.New("the webhook's URL is invalid: check WEBHOOK_URL")
	}
	mac := hmac.New(sha256.New, []byte(n.cfg.WebhookToken))
	mac.Write(body)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "fluxdemo-git")
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("X-GitHub-Delivery", delivery)
	x.request = req.Header.Clone()
	req.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := n.client.Do(req)
	if err != nil {
		// The path of some receivers' URLs is a secret, so only the cause is reported.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return x, fmt.Errorf("reaching the receiver: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	// What is read to the end can be used again for the next push.
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, keptAnswer))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	x.status, x.answer, x.response = resp.StatusCode, n.redact(string(answer)), http.Header{}
	for key, values := range resp.Header {
		for _, v := range values {
			x.response.Add(key, n.redact(v))
		}
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return x, fmt.Errorf("the receiver answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return x, nil
}

// record shows and logs what became of a delivery.
func (n *notifier) record(d *delivery, state string) {
	ev := d.event
	if ev.Kind == "" { // superseded before its first attempt
		ev = newEvent(event.Delivery, d.repo, d.update)
	}
	ev.State = state
	ev.DurationMS = time.Since(d.since).Milliseconds()
	n.sent.state(ev)
	n.feed.Add(ev)
	n.log.Info("webhook", "state", state, "repository", ev.Repository, "ref", ev.Ref, "commit", ev.Commit,
		"status", ev.Status, "attempts", ev.Attempts, "durationMs", ev.DurationMS, "error", ev.Error)
}

func newEvent(kind string, rp *repo, u refUpdate) event.Git {
	return event.Git{Kind: kind, Repository: rp.name, Ref: u.Ref.String(), Before: u.Before.String(), Commit: u.After.String()}
}
