package wait

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/inbox"
)

func limit(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestPage(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			_, _ = fmt.Fprint(w, "the colour is grey")
		default:
			_, _ = fmt.Fprint(w, "the colour is tomato")
		}
	}))
	defer srv.Close()
	if err := Page(limit(t, 20*time.Second), srv.URL, "tomato"); err != nil || asked.Load() != 3 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
	srv.Close()
	tests := []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{"other text", "it answers without that text", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "grey") }},
		{"error", "it answers 404 Not Found", http.NotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(tt.handler)
			defer srv.Close()
			err := Page(limit(t, 300*time.Millisecond), srv.URL, "tomato")
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), srv.URL) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := Page(limit(t, 300*time.Millisecond), srv.URL, "tomato"); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody there: %v", err)
	}
	if err := Page(limit(t, time.Second), "http://[", "tomato"); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no address: %v", err)
	}
}

// post puts a notification into the inbox at url.
func post(t *testing.T, url, kind, revision string) {
	t.Helper()
	body := fmt.Sprintf(`{"involvedObject": {"kind": %q, "name": "apps", "namespace": "flux-system"},
		"severity": "info", "reason": "ReconciliationSucceeded", "message": "finished %s",
		"metadata": {"kustomize.toolkit.fluxcd.io/revision": "main@sha1:%s"}}`, kind, revision, revision)
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the inbox answers %s", resp.Status)
	}
}

// newInbox serves a real inbox. asked is told of each long poll that reaches it.
func newInbox(t *testing.T) (url string, asked <-chan struct{}) {
	t.Helper()
	box, err := inbox.New(inbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	polls := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/notifications" {
			polls <- struct{}{}
		}
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, polls
}

func TestNotification(t *testing.T) {
	url, _ := newInbox(t)
	post(t, url, "GitRepository", "1")
	post(t, url, "Kustomization", "2")
	tests := []struct {
		name  string
		match Match
		want  int64
	}{
		{"any", Match{}, 1},
		{"kind and name", Match{Kind: "Kustomization", Name: "apps"}, 2},
		{"revision", Match{Revision: "main@sha1:2"}, 2},
		{"message", Match{Contains: "finished 2"}, 2},
		{"severity and reason", Match{Severity: "info", Reason: "ReconciliationSucceeded", Kind: "GitRepository"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Notification(limit(t, 20*time.Second), url, tt.match)
			if err != nil {
				t.Fatal(err)
			}
			if n.ID != tt.want || !strings.Contains(Describe(n), "\nfinished ") {
				t.Errorf("got %d: %s", n.ID, Describe(n))
			}
		})
	}
	_, err := Notification(limit(t, 300*time.Millisecond), url, Match{Kind: "HelmRelease"})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "the last one was: info  Kustomization/apps  ReconciliationSucceeded finished 2") {
		t.Errorf("nothing that fits: got %v", err)
	}
	if _, err := Notification(limit(t, time.Second), "inbox", Match{}); err == nil || !strings.Contains(err.Error(), "is not an inbox address") {
		t.Errorf("no address: got %v", err)
	}
}

func TestNotificationComesLater(t *testing.T) {
	url, asked := newInbox(t)
	_, err := Notification(limit(t, 300*time.Millisecond), url, Match{})
	if err == nil || !strings.Contains(err.Error(), "the inbox is empty") && !strings.Contains(err.Error(), "has not answered yet") {
		t.Errorf("empty: got %v", err)
	}
	for len(asked) > 0 {
		<-asked
	}
	found := make(chan error, 1)
	go func() {
		_, err := Notification(limit(t, 20*time.Second), url, Match{Revision: "main@sha1:7"})
		found <- err
	}()
	<-asked // it waits now
	post(t, url, "Kustomization", "7")
	if err := <-found; err != nil {
		t.Error(err)
	}
}
