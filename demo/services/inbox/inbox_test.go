package inbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// body is an event as notification-controller posts it.
func body(kind, name, severity, message string) string {
	return fmt.Sprintf(`{"involvedObject":{"kind":%q,"namespace":"flux-system","name":%q,"uid":"1","apiVersion":"v1","resourceVersion":"7"},
		"severity":%q,"timestamp":"2026-01-02T03:04:05Z","message":%q,"reason":"ReconciliationSucceeded",
		"metadata":{"kustomize.toolkit.fluxcd.io/revision":"main@sha1:abc"},"reportingController":"kustomize-controller"}`, kind, name, severity, message)
}

func start(t *testing.T) string {
	t.Helper()
	b, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(b)
	t.Cleanup(srv.Close)
	return srv.URL
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

type answer struct {
	Last          int64
	Notifications []event.Notification
}

func list(t *testing.T, url, query string) answer {
	t.Helper()
	code, b := get(t, url+"/notifications"+query)
	var a answer
	if err := json.Unmarshal([]byte(b), &a); err != nil || code != http.StatusOK {
		t.Fatalf("%s: %d %s", query, code, b)
	}
	return a
}

func TestNotifications(t *testing.T) {
	url := start(t)
	if _, b := get(t, url+"/notifications"); strings.TrimSpace(b) != `{"last":0,"notifications":[]}` {
		t.Errorf("empty inbox: %s", b)
	}
	for i := range remembered + 5 {
		if c := post(t, url, body("Kustomization", "apps", "info", fmt.Sprintf("applied %d", i+1))); c != http.StatusOK {
			t.Fatalf("status %d", c)
		}
	}
	post(t, url, body("GitRepository", "flux-system", "error", "<script>alert(1)</script>"))
	a := list(t, url, "")
	if len(a.Notifications) != remembered || a.Last != remembered+6 {
		t.Fatalf("%d notifications, last %d", len(a.Notifications), a.Last)
	}
	first, last := a.Notifications[0], a.Notifications[remembered-1]
	if first.ID != 7 || first.Message != "applied 7" || last.ID != a.Last || last.InvolvedObject.Kind != "GitRepository" {
		t.Errorf("first %+v, last %+v", first, last)
	}
	for query, want := range map[string]int{
		"?since=204":                            2,
		"?since=99999":                          remembered, // an ID from before a restart
		"?kind=gitrepository":                   1,
		"?severity=error&kind=Kustomization":    0,
		"?name=apps&contains=applied+20":        7, // 20 and 200 to 205
		"?contains=sha1:abc&since=205":          1,
		"?namespace=other":                      0,
		"?reason=ReconciliationSucceeded":       remembered,
		"?since=206&wait=10ms":                  0,
		"?kind=Kustomization&since=204&wait=1m": 1,
	} {
		if got := len(list(t, url, query).Notifications); got != want {
			t.Errorf("%s: %d notifications, want %d", query, got, want)
		}
	}
	_, page := get(t, url+"/")
	for _, want := range []string{"GitRepository/flux-system", "&lt;script&gt;alert(1)", "applied 205", `class="error"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestBadInput(t *testing.T) {
	url := start(t)
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"no JSON":   {"hello", 400},
		"no object": {`{"message":"x"}`, 400},
		"list":      {`[1]`, 400},
		"too large": {`{"message":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		"two":       {body("K", "n", "info", "m") + "{}", 400},
	} {
		if got := post(t, url, c.body); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
	for _, q := range []string{"?since=x", "?wait=x"} {
		if code, _ := get(t, url+"/notifications"+q); code != http.StatusBadRequest {
			t.Errorf("%s: status %d", q, code)
		}
	}
	if a := list(t, url, ""); len(a.Notifications) != 0 {
		t.Errorf("stored: %+v", a.Notifications)
	}
}

// TestWait: an answer that is waited for comes with the notification that it asks for, and not with another.
func TestWait(t *testing.T) {
	url := start(t)
	got := make(chan answer)
	go func() { got <- list(t, url, "?wait=30s&severity=error") }()
	post(t, url, body("Kustomization", "apps", "info", "fine"))
	post(t, url, body("Kustomization", "apps", "error", "broken"))
	if a := <-got; len(a.Notifications) != 1 || a.Notifications[0].Message != "broken" {
		t.Errorf("got %+v", a)
	}
}

// TestShutdown: open streams and waiting requests do not hold up the end of the server.
func TestShutdown(t *testing.T) {
	b, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve.Serve(ctx, ln, b, nil) }()
	url := "http://" + ln.Addr().String()
	post(t, url, body("Kustomization", "apps", "info", "fine"))

	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
	}
	if !strings.Contains(lines.Text(), `"message":"fine"`) {
		t.Errorf("the stream says %q", lines.Text())
	}
	began := time.Now()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server does not end")
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("ending took %s", d)
	}
	for lines.Scan() {
	}
	if lines.Err() != nil {
		t.Errorf("the stream was cut: %v", lines.Err())
	}
	if err := serve.Run(t.Context(), "256.0.0.1:x", b, nil); err == nil || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("a bad address: %v", err)
	}
}

// TestRestart starts a second inbox on the file of the first.
func TestRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notifications")
	post := func(n int) *Inbox {
		t.Helper()
		b, err := New(Config{File: file})
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			w := httptest.NewRecorder()
			body := fmt.Sprintf(`{"involvedObject":{"kind":"Kustomization","name":"apps"},"message":"%d"}`, i)
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.Host = "inbox.fluxdemo.svc.cluster.local"
			b.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Fatalf("post: %d %s", w.Code, w.Body)
			}
		}
		return b
	}
	post(6 * remembered) // more than the file is allowed to hold
	if raw, err := os.ReadFile(file); err != nil || bytes.Count(raw, []byte("\n")) > 5*remembered {
		t.Errorf("the file has %d lines (%v)", bytes.Count(raw, []byte("\n")), err)
	}
	half, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := half.WriteString(`{"id":99999,"invol`); err != nil {
		t.Fatal(err)
	}
	half.Close()

	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/notifications", nil)
	r.Host = "127.0.0.1:1"
	post(1).ServeHTTP(w, r)
	var list event.Notifications
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Notifications) != remembered || list.Last != 6*remembered+1 {
		t.Errorf("got %d notifications up to %d, want %d up to %d", len(list.Notifications), list.Last, remembered, 6*remembered+1)
	}
}
