package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/fluxdemo/fluxdemo/clusters/backoff"
	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// Watcher follows a cluster, its Git host, and its inbox, and publishes their states and pulses to subscribers.
type Watcher struct {
	opts   Options
	hub    *hub
	inputs chan input
	ended  <-chan struct{}

	config *rest.Config
	http   *http.Client
	mapper meta.RESTMapper
	kube   kubernetes.Interface

	synced   chan struct{} // closed once everything was seen for the first time
	gitOpen  chan struct{} // closed once the Git host has answered
	mailOpen chan struct{} // closed once the inbox has
}

// input is something that has happened, and when that was seen.
type input struct {
	seen time.Time
	do   func(m *model, seen time.Time)
}

// Start begins to watch. It connects again by itself when the API server, the Git host or the inbox go away, and ends
// with ctx. It is an error if the options cannot be used; a cluster that does not answer is none.
func Start(ctx context.Context, opts Options) (*Watcher, error) {
	if opts.Config == nil {
		return nil, errors.New("watching the cluster: Options.Config is not set")
	}
	if opts.Logf == nil {
		opts.Logf = func(string, ...any) {}
	}
	w := &Watcher{
		opts: opts, hub: newHub(), inputs: make(chan input, 256), ended: ctx.Done(),
		synced: make(chan struct{}), gitOpen: make(chan struct{}), mailOpen: make(chan struct{}),
	}
	w.config = rest.CopyConfig(opts.Config)
	w.config.QPS, w.config.Burst = 200, 400 // one user on a cluster of their own
	var err error
	if w.http, err = rest.HTTPClientFor(w.config); err != nil {
		return nil, fmt.Errorf("watching the cluster: %w", err)
	}
	if w.mapper, err = apiutil.NewDynamicRESTMapper(w.config, w.http); err != nil {
		return nil, fmt.Errorf("watching the cluster: %w", err)
	}
	if w.kube, err = kubernetes.NewForConfigAndClient(w.config, w.http); err != nil {
		return nil, fmt.Errorf("watching the cluster: %w", err)
	}
	gitEvents, err := eventsURL(opts.GitURL)
	if err != nil {
		return nil, fmt.Errorf("following the Git host: %w", err)
	}
	mailEvents, err := eventsURL(opts.InboxURL)
	if err != nil {
		return nil, fmt.Errorf("following the inbox: %w", err)
	}
	// The libraries would write to the terminal whatever goes wrong while the API server is away.
	ctx = logr.NewContext(ctx, logr.Discard())
	go w.think(ctx)
	go w.watch(ctx)
	w.follow(ctx, gitEvents, w.gitOpen, w.gitEvent())
	w.follow(ctx, mailEvents, w.mailOpen, w.mailEvent())
	return w, nil
}

// eventsURL is the stream of events of the server at address.
func eventsURL(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("%q is not an address such as http://127.0.0.1:30080", address)
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/events"}).String(), nil
}

// Subscribe returns the states of all targets that are known, and what happens from then on; the channel is closed
// when ctx ends. An object that the states do not have does not exist. A reader that is slow loses pulses, and states
// that are not the last of their target.
func (w *Watcher) Subscribe(ctx context.Context) (snapshot []State, events <-chan Event) {
	return w.hub.subscribe(ctx)
}

// State returns how a target is.
func (w *Watcher) State(t binding.Target) State {
	if s, ok := w.hub.get(t); ok {
		return s
	}
	return State{Target: t, Status: Missing, Message: "it does not exist"}
}

// Synced waits until everything was seen for the first time: the cluster, and the Git host and the inbox if there is
// an address for them.
func (w *Watcher) Synced(ctx context.Context) error {
	for _, part := range []struct {
		name string
		done <-chan struct{}
	}{{"the cluster", w.synced}, {"the Git host", w.gitOpen}, {"the inbox", w.mailOpen}} {
		select {
		case <-part.done:
		case <-ctx.Done():
			return fmt.Errorf("watching %s: %w", part.name, context.Cause(ctx))
		}
	}
	return nil
}

// tell hands something that has happened to the model.
func (w *Watcher) tell(do func(m *model, seen time.Time)) {
	select {
	case w.inputs <- input{time.Now(), do}:
	case <-w.ended:
	}
}

// think is the one goroutine that has the model.
func (w *Watcher) think(ctx context.Context) {
	m := newModel(w.hub)
	m.hears = w.opts.GitURL != ""
	m.roles(time.Now())
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if at, ok := m.nextMoment(); ok {
			timer.Reset(time.Until(at))
		}
		select {
		case in := <-w.inputs:
			in.do(m, in.seen)
		case <-timer.C:
			now := time.Now()
			m.release(func(r request) bool { return !now.Before(r.until) })
			m.roles(now)
		case <-ctx.Done():
			return
		}
	}
}

// reconnect is the delay between tries to connect to a server that does not answer. There is nothing to watch then.
const reconnect = 200 * time.Millisecond

// prompt is within which time an API server that is well begins to answer, and answer how long one that is starting is
// waited for before it is tried anew.
const (
	prompt = 250 * time.Millisecond
	answer = time.Second
)

// watch keeps one long watch open. When it ends, the API server is gone, and with it the caches.
func (w *Watcher) watch(ctx context.Context) {
	var stop func()
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	for ctx.Err() == nil {
		attempt, cancel := context.WithCancelCause(ctx)
		stream, late, err := w.stream(attempt, cancel)
		if (err != nil || late) && stop != nil {
			stop() // the reflectors' own pauses would grow while it is away
			stop = nil
		}
		if err != nil {
			cancel(nil)
			w.unwell(err.Error())
			if !backoff.Pause(ctx, reconnect) {
				return
			}
			continue
		}
		if stop == nil { // it is well again once everything was listed: see session.end
			w.tell(func(m *model, seen time.Time) {
				m.health(State{Status: Working, Message: "the API server answers, and is being read"}, seen)
			})
			stop = w.caches(ctx)
		}
		for range stream.ResultChan() { // it ends from time to time, also when all is well
		}
		stream.Stop()
		cancel(nil)
	}
}

// stream opens a watch, which ends when cancel is called. late says that the API server took longer for that than one that is well.
func (w *Watcher) stream(ctx context.Context, cancel context.CancelCauseFunc) (stream watch.Interface, late bool, err error) {
	slow := time.AfterFunc(prompt, func() { w.unwell("it accepts the connection and does not answer") })
	limit := time.AfterFunc(answer, func() { cancel(errors.New("it accepts the connection and does not answer")) })
	// Any object will do; this one always exists. The client's own retries would take seconds.
	stream, err = w.kube.CoreV1().RESTClient().Get().Resource("namespaces").Param("watch", "true").
		Param("fieldSelector", "metadata.name=kube-system").MaxRetries(0).Watch(ctx)
	late = !slow.Stop()
	if !limit.Stop() {
		if err == nil {
			stream.Stop()
		}
		return nil, true, context.Cause(ctx)
	}
	return stream, late, err
}

// unwell notes that the API server does not answer.
func (w *Watcher) unwell(why string) {
	w.opts.Logf("watching the API server: %s", why)
	w.tell(func(m *model, seen time.Time) {
		m.health(State{Status: Failed, Message: "the API server does not answer: " + why}, seen)
	})
}

// health takes how the API server is.
func (m *model) health(s State, seen time.Time) {
	s.Target, s.Since = binding.Kubernetes, seen
	m.api = s
	m.roles(seen)
}
