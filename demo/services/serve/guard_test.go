package serve

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestGuard refuses names of others, and what their pages send.
func TestGuard(t *testing.T) {
	h := Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), append(InCluster("git", "fluxdemo"), "git.example.com")...)
	for _, c := range []struct {
		name, method, host string
		headers            map[string]string
		want               int
	}{
		{name: "loopback", host: "127.0.0.1:30080", want: 200},
		{name: "IPv6", host: "[::1]:30080", want: 200},
		{name: "IPv6 without a port", host: "[::1]", want: 200},
		{name: "localhost", host: "LOCALHOST", want: 200},
		{name: "a pod", host: "10.1.2.3:8080", want: 200},
		{name: "the Service", host: "git", want: 200},
		{name: "the Service with its namespace", host: "git.fluxdemo:80", want: 200},
		{name: "svc", host: "git.fluxdemo.svc", want: 200},
		{name: "the whole name", host: "git.fluxdemo.svc.cluster.local.", want: 200},
		{name: "a name of the user's", host: "git.example.com:8443", want: 200},
		{name: "HTTP/1.0", host: "", want: 200},
		{name: "a name that was made to lead here", host: "evil.example:30080", want: 421},
		{name: "an address as a part of a name", host: "127.0.0.1.evil.example", want: 421},
		{name: "svc as a part of a name", host: "git.fluxdemo.svc.evil.example", want: 421},
		{name: "below localhost", host: "evil.localhost.example", want: 421},
		{name: "a post of no browser", method: "POST", host: "127.0.0.1:1", want: 200},
		{name: "a post of the own page", method: "POST", host: "127.0.0.1:1", headers: map[string]string{"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-origin"}, want: 200},
		{name: "a post of another site", method: "POST", host: "127.0.0.1:1", headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		{name: "a post of another port", method: "POST", host: "127.0.0.1:1", headers: map[string]string{"Origin": "http://127.0.0.1:2"}, want: 403},
		{name: "a post of a sandbox", method: "POST", host: "127.0.0.1:1", headers: map[string]string{"Origin": "null"}, want: 403},
		{name: "a link of another site", host: "127.0.0.1:1", headers: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodGet
			}
			r := httptest.NewRequestWithContext(t.Context(), c.method, "/", nil)
			r.Host = c.host
			for key, value := range c.headers {
				r.Header.Set(key, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("status %d, want %d", w.Code, c.want)
			}
		})
	}
}
