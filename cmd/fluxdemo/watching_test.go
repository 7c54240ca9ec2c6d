package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/live"
	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// watching is a subscription to everything, from a test's beginning to its end.
type watching struct {
	t       *testing.T
	watcher *live.Watcher
	urls    struct{ git, inbox string }

	mu      sync.Mutex
	states  map[binding.Target]live.State
	events  []live.Event
	delays  []time.Duration
	changed chan struct{}
}

func watchLive(t *testing.T, d *testDemo) *watching {
	t.Helper()
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", d.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, states: map[binding.Target]live.State{}, changed: make(chan struct{})}
	w.urls.git, w.urls.inbox = strings.TrimSuffix(s.URLs.Git, "/fleet.git"), s.URLs.Inbox
	ctx := t.Context()
	if w.watcher, err = live.Start(ctx, live.Options{Config: config, GitURL: s.URLs.Git, InboxURL: s.URLs.Inbox, Logf: func(format string, args ...any) {
		if ctx.Err() == nil {
			t.Logf(format, args...)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	limit, cancel := context.WithTimeout(ctx, healTime)
	defer cancel()
	if err := w.watcher.Synced(limit); err != nil {
		t.Fatal(err)
	}
	states, events := w.watcher.Subscribe(ctx)
	for _, s := range states {
		w.states[s.Target] = s
	}
	go func() {
		for e := range events {
			w.mu.Lock()
			w.events = append(w.events, e)
			w.delays = append(w.delays, time.Since(e.Seen))
			if e.State != nil {
				w.states[e.State.Target] = *e.State
			}
			close(w.changed)
			w.changed = make(chan struct{})
			w.mu.Unlock()
		}
	}()
	return w
}

// mark returns the place from which on a test looks.
func (w *watching) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.events)
}

// since returns what has come since a mark.
func (w *watching) since(mark int) []live.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events[mark:])
}

// until waits until what has come since a mark has all that holds asks for.
func (w *watching) until(mark int, what string, holds func([]live.Event) bool) []live.Event {
	w.t.Helper()
	limit := time.After(healTime)
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		events := w.since(mark)
		if holds(events) {
			return events
		}
		select {
		case <-changed:
		case <-limit:
			w.t.Fatalf("not within %s: %s\n%s", healTime, what, list(events))
		}
	}
}

// state waits for a state of a target, also one that was there before.
func (w *watching) state(target binding.Target, what string, holds func(live.State) bool) live.State {
	w.t.Helper()
	var found live.State
	w.until(w.mark(), fmt.Sprintf("%s is %s", target, what), func([]live.Event) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		found = w.states[target]
		return holds(found)
	})
	return found
}

// kustomizations counts those that there are.
func (w *watching) kustomizations() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for t, s := range w.states {
		if strings.HasPrefix(string(t), "Kustomization/") && s.Status != live.Missing {
			n++
		}
	}
	return n
}

func is(status live.Status) func(live.State) bool {
	return func(s live.State) bool { return s.Status == status }
}

// list writes events for people.
func list(events []live.Event) string {
	var b strings.Builder
	for _, e := range events {
		if p := e.Pulse; p != nil {
			fmt.Fprintf(&b, "%s pulse %s\n", p.At.Format("05.000"), line(*p))
		} else {
			fmt.Fprintf(&b, "%s state %s %s: %s\n", e.Seen.Format("05.000"), e.State.Target, e.State.Status, e.State.Message)
		}
	}
	return b.String()
}

func line(p binding.Pulse) string {
	return fmt.Sprintf("%s %s>%s %s %s (%s)", p.What, p.From, p.To, p.Object, p.Revision, p.Evidence)
}

// pulses returns those that fit.
func pulses(events []live.Event, fits func(binding.Pulse) bool) []binding.Pulse {
	var all []binding.Pulse
	for _, e := range events {
		if e.Pulse != nil && fits(*e.Pulse) {
			all = append(all, *e.Pulse)
		}
	}
	return all
}

func of(what string) func(binding.Pulse) bool {
	return func(p binding.Pulse) bool { return p.What == what }
}

// statuses returns what a target was, one after the other.
func statuses(events []live.Event, target binding.Target) []live.Status {
	var all []live.Status
	for _, e := range events {
		if s := e.State; s != nil && s.Target == target && (len(all) == 0 || all[len(all)-1] != s.Status) {
			all = append(all, s.Status)
		}
	}
	return all
}

// notices asks the inbox for what it has of a revision, in its order.
func (w *watching) notices(revision string) []event.Notification {
	w.t.Helper()
	raw, err := fetch(w.urls.inbox + "/notifications?contains=" + revision)
	if err != nil {
		w.t.Fatal(err)
	}
	var l event.Notifications
	if err := json.Unmarshal([]byte(raw), &l); err != nil {
		w.t.Fatal(err)
	}
	return l.Notifications
}

// settled waits until each Kustomization has told the inbox that it is done with a revision.
func (w *watching) settled(mark int, revision string) []live.Event {
	w.t.Helper()
	return w.until(mark, "all Kustomizations have "+revision, func(events []live.Event) bool {
		done := map[binding.Target]bool{}
		for _, p := range pulses(events, of(binding.Notify)) {
			if p.Revision == revision && strings.Contains(p.Evidence, "ReconciliationSucceeded") {
				done[p.From] = true
			}
		}
		return len(done) == w.kustomizations()
	})
}
