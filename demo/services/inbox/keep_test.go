package inbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// sign signs a body as notification-controller does.
func sign(token, body string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// send posts a body with these headers to a handler.
func send(t *testing.T, h http.Handler, body string, headers map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Host = "inbox.fluxdemo.svc.cluster.local"
	for key, value := range headers {
		r.Header.Set(key, value)
	}
	if host := headers["Host"]; host != "" {
		r.Host = host
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestSender accepts what is signed with the token that the folder has now, and what pages of others do not send.
func TestSender(t *testing.T) {
	dir := t.TempDir()
	b, err := New(Config{Auth: dir})
	if err != nil {
		t.Fatal(err)
	}
	ev := body("Kustomization", "apps", "info", "hello")
	for _, c := range []struct {
		name, token, unsigned string // of the folder; "" for no file
		headers               map[string]string
		want                  int
	}{
		{name: "signed", token: "one", headers: map[string]string{"X-Signature": sign("one", ev)}, want: 200},
		{name: "not signed", token: "one", want: 401},
		{name: "another token", token: "one", headers: map[string]string{"X-Signature": sign("two", ev)}, want: 401},
		{name: "the token is new", token: "two", headers: map[string]string{"X-Signature": sign("two", ev)}, want: 200},
		{name: "another body", token: "one", headers: map[string]string{"X-Signature": sign("one", ev+" ")}, want: 401},
		{name: "no signature at all", token: "one", headers: map[string]string{"X-Signature": "sha256="}, want: 401},
		{name: "not hexadecimal", token: "one", headers: map[string]string{"X-Signature": "sha256=x" + sign("one", ev)}, want: 401},
		{name: "another hash", token: "one", headers: map[string]string{"X-Signature": "sha1=" + sign("one", ev)[7:]}, want: 401},
		{name: "no token", headers: map[string]string{"X-Signature": sign("", ev)}, want: 401},
		{name: "an empty token", token: "\n", headers: map[string]string{"X-Signature": sign("\n", ev)}, want: 401},
		{name: "no token, not signed", want: 401},
		{name: "an old fleet", token: "one", unsigned: "true", want: 200},
		{name: "an old fleet, forged", token: "one", unsigned: "true", headers: map[string]string{"X-Signature": sign("two", ev)}, want: 401},
		{name: "an old fleet, a page", token: "one", unsigned: "true", headers: map[string]string{"Origin": "http://evil.example"}, want: 403},
		{name: "signed, from a page", token: "one", headers: map[string]string{"X-Signature": sign("one", ev), "Sec-Fetch-Site": "cross-site"}, want: 403},
		{name: "a name that was made to lead here", token: "one", headers: map[string]string{"X-Signature": sign("one", ev), "Host": "evil.example"}, want: 421},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, content := range map[string]string{tokenFile: c.token, unsignedFile: c.unsigned} {
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				if content != "" {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, before, _ := b.feed.Since(0)
			w := send(t, b, ev, c.headers)
			_, after, _ := b.feed.Since(0)
			if w.Code != c.want || (after > before) != (c.want == 200) {
				t.Errorf("status %d, want %d; %d notifications after %d: %s", w.Code, c.want, after, before, w.Body)
			}
		})
	}
}

// kept returns what an inbox on the file has.
func kept(t *testing.T, file string) event.Notifications {
	t.Helper()
	b, err := New(Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/notifications", nil)
	r.Host = "127.0.0.1"
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	var list event.Notifications
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestLongLines reads back notifications of any length that is accepted, and appends each to the file.
func TestLongLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notifications")
	b, err := New(Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for i := range 30 {
		message := fmt.Sprint(i)
		if i%10 == 4 {
			message = strings.Repeat("long", 50<<10)
		}
		if w := send(t, b, body("Kustomization", "apps", "info", message), nil); w.Code != http.StatusOK {
			t.Fatal(w.Code, w.Body)
		}
		info, err := os.Stat(file)
		if err != nil || info.Size() <= size {
			t.Fatalf("notification %d is not in the file when it is acknowledged (%v)", i, err)
		}
		size = info.Size()
	}
	if list := kept(t, file); len(list.Notifications) != 30 || list.Last != 30 || len(list.Notifications[4].Message) != 200<<10 {
		t.Errorf("%d of 30 notifications up to %d", len(list.Notifications), list.Last)
	}
}

// TestNoRoom refuses what cannot be kept, so that Flux sends it again, and accepts it when there is room.
func TestNoRoom(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "folder", "notifications")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := New(Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	ev := body("Kustomization", "apps", "info", "hello")
	if err := os.Rename(filepath.Dir(file), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if w := send(t, b, ev, nil); w.Code != http.StatusServiceUnavailable {
		t.Errorf("without its folder: %d %s", w.Code, w.Body)
	}
	if items, _, _ := b.feed.Since(0); len(items) != 0 {
		t.Errorf("it shows what it has refused: %v", items)
	}
	if err := os.Rename(filepath.Join(dir, "away"), filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	if w := send(t, b, ev, nil); w.Code != http.StatusOK {
		t.Errorf("with its folder again: %d %s", w.Code, w.Body)
	}
	if list := kept(t, file); len(list.Notifications) != 1 || list.Last != 1 {
		t.Errorf("kept: %+v", list)
	}
}

// TestFullDisk uses the device that is always full.
func TestFullDisk(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full here")
	}
	defer f.Close()
	if _, err := f.WriteString("x"); !full(err) {
		t.Errorf("%v is not recognised", err)
	}
	if full(os.ErrPermission) {
		t.Error("a missing permission is taken for a full disk")
	}
}
