package stage

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/slides/browser/browsertest"
)

// TestNoOtherScripts shows a deck that wants to do harm.
func TestNoOtherScripts(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "evil.svg"), []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="fetch('/evil')"><script>fetch('/evil')</script></svg>`), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "deck.md")
	text := "# Evil\n\n# Scripts\n\n<script>window.harm = 1</script>\n<img src=x onerror=\"window.harm = 2\">\n<svg onload=\"window.harm = 3\"><circle r=1 /></svg>\n[link](javascript:window.harm=4)\n![](evil.svg)\n![](../../../etc/passwd)\n\n" +
		"```mermaid\nflowchart LR\n  A[\"<img src=x onerror='window.harm=5'>\"] --> B\n  click B \"javascript:window.harm=6\"\n```\n\n" + strings.Repeat("x", 10<<20) + "\n\n# After\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	srv := show(t, file)
	p := newTab(t, "404", "Content Security Policy")
	p.Open(srv.url + "?static#/scripts")
	if harm := browsertest.Get[any](p.Tab, "window.harm ?? null"); harm != nil {
		t.Errorf("the deck's script %v has run", harm)
	}
	if n := browsertest.Get[int](p.Tab, `[...document.querySelectorAll("a")].filter(a => (a.getAttribute("href") ?? a.getAttribute("xlink:href") ?? "").startsWith("javascript")).length`); n != 0 {
		t.Errorf("%d links to scripts", n)
	}
	// A script that got into the page all the same would be stopped by the policy.
	browsertest.Get[bool](p.Tab, `(() => { const s = document.createElement("script"); s.textContent = "window.harm = 7; new Function('window.harm = 8')()"; document.body.append(s); return true; })()`)
	if harm := browsertest.Get[any](p.Tab, "window.harm ?? null"); harm != nil {
		t.Errorf("an inline script %v has run", harm)
	}
	p.turn("#/after")
	p.awaitTitle("After")
}

// TestGuard refuses what does not come from here.
func TestGuard(t *testing.T) {
	srv := show(t, write(t, talkText))
	token := "Bearer " + srv.Token()
	host := strings.TrimSuffix(strings.TrimPrefix(srv.url, "http://"), "/")
	next := []byte(`{"command":"next"}`)
	for _, c := range []struct {
		name, method, path, host, origin, site, auth string
		want                                         int
	}{
		{name: "reading", method: "GET", path: "api/deck", want: 200},
		{name: "localhost", method: "GET", path: "api/deck", host: strings.Replace(host, "127.0.0.1", "localhost", 1), want: 200},
		{name: "a name that was made to lead here", method: "GET", path: "api/deck", host: "evil.example:" + strings.Split(host, ":")[1], want: 421},
		{name: "without a port", method: "GET", path: "api/deck", host: "127.0.0.1", want: 421},
		{name: "no token", method: "POST", path: "api/position", want: 401},
		{name: "another token", method: "POST", path: "api/position", auth: "Bearer x", want: 401},
		{name: "the token in another scheme", method: "POST", path: "api/position", auth: srv.Token(), want: 401},
		{name: "another site", method: "POST", path: "api/position", auth: token, origin: "http://evil.example", want: 403},
		{name: "another port", method: "POST", path: "api/position", auth: token, origin: "http://127.0.0.1:1", want: 403},
		{name: "a sandbox", method: "POST", path: "api/position", auth: token, origin: "null", want: 403},
		{name: "another site, as the browser says", method: "POST", path: "api/position", auth: token, site: "cross-site", want: 403},
		{name: "our page", method: "POST", path: "api/position", auth: token, origin: "http://" + host, site: "same-origin", want: 200},
		{name: "a shell", method: "POST", path: "api/position", auth: token, want: 200},
		{name: "objects and logs", method: "GET", path: "api/detail", want: 401},
		{name: "objects and logs, escaped", method: "GET", path: "api/%64etail", want: 401},
		{name: "objects and logs, another method", method: "HEAD", path: "api/detail", want: 401},
		{name: "objects and logs, with the token", method: "GET", path: "api/detail", auth: token, want: 404}, // there is no cluster
		{name: "a step", method: "POST", path: "api/step", want: 401},
		{name: "the clock", method: "POST", path: "api/clock", want: 401},
		{name: "up the tree", method: "GET", path: "assets/../deck.md", want: 307},
		{name: "up the tree, escaped", method: "GET", path: "assets/%2e%2e/deck.md", want: 404},
		{name: "up the tree, more so", method: "GET", path: "assets/..%2f..%2fetc/passwd", want: 404},
		{name: "the deck itself", method: "GET", path: "assets/deck.md", want: 404},
		{name: "out of the app", method: "GET", path: "app/..%2findex.html", want: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, srv.url+c.path, bytes.NewReader(next))
			if err != nil {
				t.Fatal(err)
			}
			for key, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site, "Authorization": c.auth} {
				if value != "" {
					req.Header.Set(key, value)
				}
			}
			req.Host = c.host
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("status %d, want %d", resp.StatusCode, c.want)
			}
			policy := resp.Header.Get("Content-Security-Policy")
			if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe-eval") || strings.Contains(policy, "script-src 'self' 'unsafe") {
				t.Errorf("the policy is %q", policy)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("another site may read it")
			}
		})
	}
}
