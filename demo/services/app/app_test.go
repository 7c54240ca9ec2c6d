package app

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func start(t *testing.T, cfg Config) string {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return srv.URL
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", url, resp.Status)
	}
	return resp
}

func text(t *testing.T, url string) string {
	t.Helper()
	b, err := io.ReadAll(get(t, url).Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPI(t *testing.T) {
	const problem = `COLOR="re;d" is not a valid colour: use a CSS name or #rrggbb`
	for name, c := range map[string]struct {
		cfg  Config
		want State
	}{
		"all":      {Config{Message: "Hi", Color: "Tomato", Version: "2", Pod: "p"}, State{"Hi", "Tomato", "#ff6347", "#000000", "2", "p", ""}},
		"dark":     {Config{Message: "Hi", Color: "#123"}, State{"Hi", "#123", "#112233", "#ffffff", "", "", ""}},
		"hex":      {Config{Message: "Hi", Color: "#FFFF00"}, State{"Hi", "#FFFF00", "#ffff00", "#000000", "", "", ""}},
		"defaults": {Config{}, State{"Hello from Git", "steelblue", "#4682b4", "#000000", "", "", ""}},
		"invalid":  {Config{Message: "Hi", Color: "re;d"}, State{"Hi", "re;d", "#4682b4", "#000000", "", "", problem}},
	} {
		url := start(t, c.cfg)
		var got State
		if err := json.Unmarshal([]byte(text(t, url+"/api")), &got); err != nil || got != c.want {
			t.Errorf("%s: %+v, want %+v (%v)", name, got, c.want, err)
		}
		if page := text(t, url); strings.Contains(page, "hidden>") != (c.want.Problem == "") || !strings.Contains(page, c.want.Background) {
			t.Errorf("%s: page:\n%s", name, page)
		}
	}
}

func TestPageIsSafe(t *testing.T) {
	url := start(t, Config{Message: `<script>alert("m")</script>`, Color: `red;}</style><script>`, Version: "<v>", Pod: "<p>"})
	resp := get(t, url)
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, bad := range []string{`<script>alert`, "<v>", "<p>\n", "</style><script>", " onclick", "http://", "https://", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{"&lt;script&gt;alert", "&lt;v&gt;", "is not a valid colour", "--background: #4682b4"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	csp := resp.Header.Get("Content-Security-Policy")
	_, nonce, _ := strings.Cut(csp, "script-src 'nonce-")
	nonce, _, _ = strings.Cut(nonce, "'")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || len(nonce) < 16 ||
		!strings.Contains(page, `<script nonce="`+nonce+`"`) || !strings.Contains(page, `<style nonce="`+nonce+`"`) {
		t.Errorf("policy %q does not fit the page", csp)
	}
}

func TestEveryColorCanBeRead(t *testing.T) {
	names := strings.Fields(colorNames)
	if len(names) != 2*148 {
		t.Errorf("%d colour names, CSS has 148", len(names)/2)
	}
	check := func(name string) {
		c, ok := parseColor(name)
		if got := contrast(c, c.ink()); !ok || got < 4.5 {
			t.Errorf("%s: %v, contrast %.1f", name, ok, got)
		}
	}
	for i := 0; i < len(names); i += 2 {
		check(names[i])
	}
	for n := range 1 << 12 {
		check(color{uint8(n >> 4 & 0xf0), uint8(n & 0xf0), uint8(n << 4)}.String())
	}
	for _, bad := range []string{"", "#", "#12", "#12345", "#1234567", "#ggg", "123456", "rgb(1,2,3)", "reddish", "#-12345", "#+12345"} {
		if c, ok := parseColor(bad); ok {
			t.Errorf("%q is read as %s", bad, c)
		}
	}
}

// TestStream: a browser that connects is told at once what is shown.
func TestStream(t *testing.T) {
	resp := get(t, start(t, Config{Message: "line\nbreak", Color: "teal"})+"/events")
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("content type %q", ct)
	}
	lines := bufio.NewScanner(resp.Body)
	var event string
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var s State
			if err := json.Unmarshal([]byte(data), &s); err != nil || event != "state" || s.Message != "line\nbreak" || s.Background != "#008080" {
				t.Errorf("event %s %s (%v)", event, data, err)
			}
			return
		}
	}
	t.Fatal("the stream ended: ", lines.Err())
}
