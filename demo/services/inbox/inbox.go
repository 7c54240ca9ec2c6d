// Package inbox receives the demo's notifications: it accepts what Flux's provider generic-hmac posts and signs. It keeps
// the last ones in memory and in a file, and serves them as a page, as JSON with long polls, and as a stream.
package inbox

import (
	_ "embed" // the page
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

const (
	maxBody     = 1 << 20
	bodyTimeout = 10 * time.Second
	longestWait = time.Minute
	remembered  = 200
)

//go:embed page.html
var pageHTML string

// Config says how an Inbox works; the zero value is fine.
type Config struct {
	// Auth is a folder that says which posts are accepted, see sender. Empty means all, signed or not.
	Auth string
	// Hosts are the names at which clients find the inbox, besides those of its Service.
	Hosts []string
	// File is where the notifications are kept, so that a restart does not lose them; empty means in memory only.
	File string
	// Logger gets one line for each notification; nil means none.
	Logger *slog.Logger
}

// Inbox is the server as an http.Handler.
type Inbox struct {
	http http.Handler
	feed *serve.Feed[event.Flux]
	page *template.Template
	log  *slog.Logger

	from    sender
	journal *journal
}

// New returns an empty inbox.
func New(cfg Config) (*Inbox, error) {
	page, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("parsing the inbox's page: %w", err)
	}
	b := &Inbox{feed: serve.NewFeed[event.Flux](remembered), page: page, log: serve.Logger(cfg.Logger), from: sender(cfg.Auth)}
	if b.journal, err = openJournal(cfg.File, b.feed, b.log); err != nil {
		return nil, fmt.Errorf("opening the kept notifications: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{$}", b.receive)
	mux.HandleFunc("GET /{$}", b.show)
	mux.HandleFunc("GET /notifications", b.list)
	mux.HandleFunc("GET /events", b.feed.Stream(func(it serve.Item[event.Flux]) (string, any) { return "notification", number(it) }))
	mux.HandleFunc("GET /healthz", serve.Healthy)
	b.http = serve.Guard(mux, append(serve.InCluster("inbox", "fluxdemo"), cfg.Hosts...)...)
	return b, nil
}

// ServeHTTP answers Flux, browsers, checks and probes.
func (b *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.http.ServeHTTP(w, r) }

func number(it serve.Item[event.Flux]) event.Notification {
	return event.Notification{ID: it.ID, Received: it.Time, Flux: it.Value}
}

// receive takes one event. It answers when the event is on disk: what Flux hears is accepted is not lost.
func (b *Inbox) receive(w http.ResponseWriter, r *http.Request) {
	defer serve.ReadWithin(w, bodyTimeout)()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		http.Error(w, "the notification exceeds the limit of 1 MB", http.StatusRequestEntityTooLarge)
		return
	}
	if err == nil {
		if err := b.from.check(r, body); err != nil {
			b.log.Warn("refused", "error", err.Error())
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
	}
	var ev event.Flux
	if err == nil {
		err = json.Unmarshal(body, &ev)
	}
	if err != nil {
		http.Error(w, "not a Flux event: "+err.Error(), http.StatusBadRequest)
		return
	}
	if ev.InvolvedObject.Kind == "" || ev.InvolvedObject.Name == "" {
		http.Error(w, "not a Flux event: involvedObject is missing", http.StatusBadRequest)
		return
	}
	it, err := b.feed.AddKept(ev, func(it serve.Item[event.Flux]) error { return b.journal.add(number(it), b.feed) })
	if err != nil {
		b.log.Error("a notification could not be kept", "error", err.Error())
		status := http.StatusServiceUnavailable
		if full(err) {
			status = http.StatusInsufficientStorage
		}
		http.Error(w, "the notification could not be kept: "+err.Error()+"; send it again later", status) // as Flux does
		return
	}
	o := ev.InvolvedObject
	b.log.Info("notification", "id", it.ID, "kind", o.Kind, "namespace", o.Namespace, "name", o.Name,
		"severity", ev.Severity, "reason", ev.Reason, "message", ev.Message)
	serve.JSON(w, map[string]int64{"id": it.ID})
}

// list answers GET /notifications with a List. Parameters, all optional:
// since=<id> leaves out that one and all before; wait=<duration> holds the answer until there is something to list, at
// most a minute; kind, namespace, name, severity, reason list only the events that have these, contains those with
// that text in their message or revision.
func (b *Inbox) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var since int64
	var wait time.Duration
	var err error
	if s := q.Get("since"); s != "" {
		since, err = strconv.ParseInt(s, 10, 64)
	}
	if s := q.Get("wait"); s != "" && err == nil {
		wait, err = time.ParseDuration(s)
	}
	if err != nil {
		http.Error(w, err.Error()+" (want for example ?since=12&wait=30s)", http.StatusBadRequest)
		return
	}
	deadline := time.NewTimer(min(wait, longestWait))
	defer deadline.Stop()
	out := []event.Notification{}
	for {
		items, last, changed := b.feed.Since(since)
		for _, it := range items {
			if matches(it.Value, q.Get) {
				out = append(out, number(it))
			}
		}
		since = last
		if len(out) == 0 && wait > 0 {
			if !serve.Hold(w) {
				return
			}
			select {
			case <-changed:
				continue
			case <-deadline.C:
			case <-serve.Draining(r.Context()):
			case <-r.Context().Done():
				return
			}
		}
		serve.JSON(w, event.Notifications{Last: last, Notifications: out})
		return
	}
}

// matches says whether an event has what the parameters ask for.
func matches(ev event.Flux, param func(string) string) bool {
	for name, have := range map[string]string{
		"kind": ev.InvolvedObject.Kind, "namespace": ev.InvolvedObject.Namespace, "name": ev.InvolvedObject.Name,
		"severity": ev.Severity, "reason": ev.Reason,
	} {
		if want := param(name); want != "" && !strings.EqualFold(want, have) {
			return false
		}
	}
	want := param("contains")
	return strings.Contains(ev.Message, want) || strings.Contains(ev.Revision(), want)
}

// show is the page for people, newest first.
func (b *Inbox) show(w http.ResponseWriter, r *http.Request) {
	items, last, _ := b.feed.Since(0)
	v := struct {
		Nonce string
		Last  int64
		Items []event.Notification
	}{Last: last}
	for _, it := range slices.Backward(items) {
		v.Items = append(v.Items, number(it))
	}
	v.Nonce = serve.Page(w)
	if err := b.page.Execute(w, v); err != nil && r.Context().Err() == nil {
		b.log.Warn("write the page", "error", err.Error())
	}
}
