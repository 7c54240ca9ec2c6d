package wait

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
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
		{"other text", "it answers without it", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "grey") }},
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

// notices makes the JSON of an inbox.
func notices(from int, kinds ...string) string {
	var out []map[string]any
	for i, kind := range kinds {
		out = append(out, map[string]any{
			"id": from + i, "received": time.Now(),
			"event": map[string]any{
				"involvedObject": map[string]string{"kind": kind, "name": "apps", "namespace": "flux-system"},
				"severity":       "info", "reason": "ReconciliationSucceeded", "message": "finished " + strconv.Itoa(from+i),
				"metadata": map[string]string{"kustomize.toolkit.fluxcd.io/revision": "main@sha1:" + strconv.Itoa(from+i)},
			},
		})
	}
	b, _ := json.Marshal(out)
	return string(b)
}

func TestNotification(t *testing.T) {
	tests := []struct {
		name    string
		answers map[string][]string // since -> answers, one after the other; then the long poll
		match   Match
		want    int64
		last    string // of the error
	}{
		{"there already", map[string][]string{"0": {notices(1, "GitRepository", "Kustomization")}}, Match{Kind: "Kustomization", Name: "apps"}, 2, ""},
		{"comes later", map[string][]string{"0": {notices(1, "Kustomization")}, "1": {"[]", notices(2, "Kustomization")}}, Match{Revision: "main@sha1:2"}, 2, ""},
		{"after a restart", map[string][]string{"0": {notices(5, "A"), notices(1, "B")}, "5": {"?"}}, Match{Kind: "B", Severity: "info"}, 1, ""},
		{"message", map[string][]string{"0": {notices(1, "A", "B")}}, Match{Contains: "finished 2"}, 2, ""},
		{"not there", map[string][]string{"0": {notices(1, "A")}}, Match{Kind: "B"}, 0, "the last one was: info  A/apps  ReconciliationSucceeded finished 1"},
		{"empty", map[string][]string{"0": {"[]", "[]", "[]", "[]"}}, Match{}, 0, "the inbox is empty"},
		{"broken", map[string][]string{"0": {"{", "{", "{", "{", "{"}}, Match{}, 0, "read the inbox's answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				since := r.URL.Query().Get("since")
				if r.URL.Path != "/notifications" || r.URL.Query().Get("wait") != "30s" {
					t.Errorf("asked for %s", r.URL)
				}
				answers := tt.answers[since]
				if len(answers) == 0 {
					<-r.Context().Done()
					return
				}
				tt.answers[since] = answers[1:]
				if answers[0] == "?" { // the inbox is gone in the middle
					panic(http.ErrAbortHandler)
				}
				_, _ = fmt.Fprint(w, answers[0])
			}))
			defer srv.Close()
			d := 20 * time.Second
			if tt.last != "" {
				d = 300 * time.Millisecond
			}
			n, err := Notification(limit(t, d), srv.URL, tt.match)
			switch {
			case tt.last != "":
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), tt.last) {
					t.Errorf("got %v, %v", n, err)
				}
			case err != nil:
				t.Error(err)
			case n.ID != tt.want || !strings.Contains(n.String(), "\nfinished "):
				t.Errorf("got %s", n)
			}
		})
	}
	if _, err := Notification(limit(t, time.Second), "inbox", Match{}); err == nil || !strings.Contains(err.Error(), "is not the inbox's address") {
		t.Errorf("got %v", err)
	}
}
