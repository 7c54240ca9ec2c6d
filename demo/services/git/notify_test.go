package git

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

const token = "webhook-token"

// hook is a webhook as a receiver sees it.
type hook struct {
	header http.Header
	body   []byte
	event  pushEvent
}

// receiver answers with the statuses that it is given, then with 200; it hands on what it accepts.
func receiver(t *testing.T, statuses <-chan int) (url string, accepted <-chan hook) {
	t.Helper()
	c := make(chan hook, 16)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case s := <-statuses:
			w.WriteHeader(s)
			return
		default:
		}
		h := hook{header: r.Header, body: body}
		if err := json.Unmarshal(body, &h.event); err != nil {
			t.Errorf("webhook: %v", err)
		}
		c <- h
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/hook/0123456789", c
}

func TestWebhook(t *testing.T) {
	url, accepted := receiver(t, nil)
	h := start(t, Config{WebhookURL: url, WebhookToken: token})
	w := work(t, h, "fleet")
	one := commit(t, w, "subject\n\nbody")
	git(t, w, "push", "-q", "-u", "origin", "main")
	got := receive(t, accepted, "webhook")

	mac := hmac.New(sha256.New, []byte(token))
	mac.Write(got.body)
	for k, want := range map[string]string{
		"X-Github-Event": "push", "Content-Type": "application/json",
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		if v := got.header.Get(k); v != want {
			t.Errorf("%s is %q, want %q", k, v, want)
		}
	}
	if id := got.header.Get("X-Github-Delivery"); len(id) != 36 {
		t.Errorf("delivery %q is no UUID", id)
	}
	zero := strings.Repeat("0", 40)
	e := got.event
	if e.Ref != "refs/heads/main" || e.Before != zero || e.After != one || !e.Created || e.Forced || e.HeadCommit.ID != one ||
		e.HeadCommit.Message != "subject\n\nbody\n" || e.HeadCommit.Author.Name != "Ann" || e.Pusher.Name != "demo" ||
		e.Repository.FullName != "demo/fleet" || e.Repository.CloneURL != "http://git.fluxdemo.svc.cluster.local/fleet.git" {
		t.Errorf("first push: %s", got.body)
	}

	two := commit(t, w, "two")
	git(t, w, "push", "-q")
	if e := receive(t, accepted, "webhook").event; e.Before != one || e.After != two || e.Created || e.Forced {
		t.Errorf("second push: %+v", e)
	}
	git(t, w, "reset", "-q", "--hard", one)
	git(t, w, "push", "-q", "--force")
	if e := receive(t, accepted, "webhook").event; e.Before != two || e.After != one || !e.Forced {
		t.Errorf("force push: %+v", e)
	}
	git(t, w, "push", "-q", "origin", "main:gone")
	receive(t, accepted, "webhook")
	git(t, w, "push", "-q", "origin", ":gone")
	if e := receive(t, accepted, "webhook").event; !e.Deleted || e.After != zero || e.HeadCommit != nil {
		t.Errorf("deletion: %+v", e)
	}

	// A push that is refused is not reported: the next thing to arrive is the push after it.
	if _, err := try(t, w, "push", h.url+"/fleet.git", "main:other"); err == nil {
		t.Error("pushed without a password")
	}
	git(t, w, "push", "-q", "origin", "main:last")
	if e := receive(t, accepted, "webhook").event; e.Ref != "refs/heads/last" {
		t.Errorf("reported: %+v", e)
	}
}

func TestWebhookIsRetried(t *testing.T) {
	statuses := make(chan int, 2)
	statuses <- http.StatusServiceUnavailable
	statuses <- http.StatusNotFound
	url, accepted := receiver(t, statuses)
	h := start(t, Config{WebhookURL: url, WebhookToken: token})
	w := work(t, h, "fleet")
	tip := commit(t, w, "one")
	git(t, w, "push", "-q", "origin", "main")
	receive(t, accepted, "webhook")
	ev := await(t, h, event.Delivered)
	if ev.Attempts != 3 || ev.Status != 200 || ev.Commit != tip || ev.Error != "" || ev.DurationMS < 300 {
		t.Errorf("delivered: %+v", ev)
	}
	page := get(t, h.url+"/deliveries")
	var list struct{ Deliveries []event.NumberedGit }
	if err := json.Unmarshal([]byte(page), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Deliveries) != 2 || list.Deliveries[0].State != event.Retrying || list.Deliveries[0].Status != 503 || list.Deliveries[1].State != event.Delivered {
		t.Errorf("deliveries: %s", page)
	}
}

func TestWebhookGivesUp(t *testing.T) {
	// Nobody listens there.
	h := start(t, Config{WebhookURL: "http://127.0.0.1:1/hook/0123456789", WebhookToken: token, RetryFor: 150 * time.Millisecond})
	w := work(t, h, "fleet")
	commit(t, w, "one")
	git(t, w, "push", "-q", "origin", "main")
	ev := await(t, h, event.Failed)
	if ev.Attempts < 2 || !strings.Contains(ev.Error, "refused") {
		t.Errorf("failed: %+v", ev)
	}
	for _, secret := range []string{"0123456789", token, "secret"} {
		if strings.Contains(get(t, h.url+"/deliveries"), secret) {
			t.Errorf("the deliveries tell %q", secret)
		}
	}
}

// TestNewestPushWins: while the receiver is away pushes pile up, and it gets one webhook that covers them all.
func TestNewestPushWins(t *testing.T) {
	away := make(chan int)
	url, accepted := receiver(t, away)
	h := start(t, Config{WebhookURL: url, WebhookToken: token})
	w := work(t, h, "fleet")
	one := commit(t, w, "one")
	git(t, w, "push", "-q", "-u", "origin", "main")
	receive(t, accepted, "webhook")

	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case away <- http.StatusBadGateway:
			case <-stop:
				return
			}
		}
	}()
	two := commit(t, w, "two")
	git(t, w, "push", "-q")
	if ev := await(t, h, event.Retrying); ev.Commit != two {
		t.Errorf("retrying %+v", ev)
	}
	three := commit(t, w, "three")
	git(t, w, "push", "-q")
	if ev := await(t, h, event.Superseded); ev.Commit != two {
		t.Errorf("superseded %+v", ev)
	}
	close(stop)
	<-stopped
	if e := receive(t, accepted, "webhook").event; e.Before != one || e.After != three {
		t.Errorf("delivered %s..%s, want %s..%s", e.Before, e.After, one, three)
	}
}

// TestCrashBeforeDelivery: what the receiver has not heard of is told after a restart, and nothing else.
func TestCrashBeforeDelivery(t *testing.T) {
	root := t.TempDir()
	h := start(t, Config{Root: root, WebhookURL: "http://127.0.0.1:1", WebhookToken: token})
	w := work(t, h, "fleet")
	one := commit(t, w, "one")
	git(t, w, "push", "-q", "origin", "main", "main:gone")
	h.Close()

	url, accepted := receiver(t, nil)
	h = start(t, Config{Root: root, WebhookURL: url, WebhookToken: token})
	for range 2 {
		if e := receive(t, accepted, "webhook").event; e.After != one {
			t.Errorf("after the restart: %+v", e)
		}
	}
	await(t, h, event.Delivered)
	await(t, h, event.Delivered)
	h.Close()

	// The receiver is away for the deletion of one branch; the other one is not told again.
	h = start(t, Config{Root: root, WebhookURL: "http://127.0.0.1:1", WebhookToken: token})
	git(t, w, "remote", "set-url", "origin", h.pushURL+"/fleet.git")
	git(t, w, "push", "-q", "origin", ":gone")
	h.Close()
	h = start(t, Config{Root: root, WebhookURL: url, WebhookToken: token})
	if e := receive(t, accepted, "webhook").event; e.Ref != "refs/heads/gone" || !e.Deleted || e.Before != one {
		t.Errorf("after the second restart: %+v", e)
	}
	await(t, h, event.Delivered)
	items, _, _ := h.feed.Since(0)
	if len(items) != 1 {
		t.Errorf("more was told: %+v", items)
	}
}

func TestWebhookUsesProxy(t *testing.T) {
	h := start(t, Config{WebhookURL: inCluster + "/hook/1", WebhookToken: token})
	w := work(t, h, "fleet")
	commit(t, w, "one")
	git(t, w, "push", "-q", "origin", "main")
	if r := receive(t, proxied, "request through the proxy"); r.URL.String() != inCluster+"/hook/1" {
		t.Errorf("the proxy was asked for %s", r.URL)
	}
}

func TestEventStream(t *testing.T) {
	url, accepted := receiver(t, nil)
	h := start(t, Config{WebhookURL: url, WebhookToken: token})
	w := work(t, h, "fleet")
	commit(t, w, "one")
	git(t, w, "push", "-q", "origin", "main")
	receive(t, accepted, "webhook")
	first := events(t, h, "")
	if id, name, data := first(); id != "1" || name != "push" || !strings.Contains(data, `"ref":"refs/heads/main"`) {
		t.Errorf("first event: %s %s %s", id, name, data)
	}
	if id, name, data := first(); id != "2" || name != "delivery" || !strings.Contains(data, `"state":"delivered"`) {
		t.Errorf("second event: %s %s %s", id, name, data)
	}
	again := events(t, h, "2")
	git(t, w, "push", "-q", "origin", "main:more")
	if id, name, data := again(); id != "3" || name != "push" || !strings.Contains(data, "refs/heads/more") {
		t.Errorf("event after reconnecting: %s %s %s", id, name, data)
	}
}

// events opens the event stream and returns a function that waits for the next event.
func events(t *testing.T, h host, last string) func() (id, name, data string) {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/events", nil)
	req.Header.Set("Last-Event-ID", last)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() (id, name, data string) {
		for lines.Scan() {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				id = value
			case "event":
				name = value
			case "data":
				return id, name, value
			}
		}
		t.Fatal("the stream ended: ", lines.Err())
		return
	}
}

// await waits for the next delivery in a state, starting behind the one that it found last.
func await(t *testing.T, h host, state string) event.Git {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		items, _, changed := h.feed.Since(h.seen.Load())
		for _, it := range items {
			h.seen.Store(it.ID)
			if it.Value.State == state {
				return it.Value
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no delivery became %s", state)
		}
	}
}
