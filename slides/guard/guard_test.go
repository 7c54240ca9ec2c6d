package guard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestGuard refuses what has no token, or comes from elsewhere. What is special about the stage is tested there.
func TestGuard(t *testing.T) {
	const token = "the-token"
	h := New(Options{
		Port: 4321, Token: token, What: "it", Where: "there", Private: func(r *http.Request) bool { return r.URL.Path == "/private" },
	}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	socket := map[string]string{"Upgrade": "websocket", "Origin": "http://127.0.0.1:4321", "Sec-WebSocket-Protocol": "fluxdemo, fluxdemo.token." + token}
	with := func(key, value string) map[string]string {
		all := map[string]string{}
		for k, v := range socket {
			all[k] = v
		}
		all[key] = value
		return all
	}
	for _, c := range []struct {
		name, method, path, host string
		headers                  map[string]string
		want                     int
	}{
		{name: "the page", path: "/", want: 200},
		{name: "private", path: "/private", want: 401},
		{name: "private, with the token", path: "/private", headers: map[string]string{"Authorization": "Bearer " + token}, want: 200},
		{name: "private, the token as a protocol", path: "/private", headers: map[string]string{"Sec-WebSocket-Protocol": "fluxdemo.token." + token}, want: 401},
		{name: "HEAD", method: "HEAD", path: "/private", want: 401},
		{name: "a socket", path: "/", headers: socket, want: 200},
		{name: "a socket at localhost", path: "/", host: "localhost:4321", headers: with("Origin", "http://localhost:4321"), want: 200},
		{name: "a socket without a token", path: "/", headers: with("Sec-WebSocket-Protocol", "fluxdemo"), want: 401},
		{name: "a socket with a wrong token", path: "/", headers: with("Sec-WebSocket-Protocol", "fluxdemo, fluxdemo.token.x"), want: 401},
		{name: "a socket with an empty token", path: "/", headers: with("Sec-WebSocket-Protocol", "fluxdemo.token."), want: 401},
		{name: "a socket of another site", path: "/", headers: with("Origin", "http://evil.example"), want: 403},
		{name: "a socket of another port", path: "/", headers: with("Origin", "http://127.0.0.1:1"), want: 403},
		{name: "a socket of the other name", path: "/", headers: with("Origin", "http://localhost:4321"), want: 403},
		{name: "a socket of a sandbox", path: "/", headers: with("Origin", "null"), want: 403},
		{name: "a socket over TLS", path: "/", headers: with("Origin", "https://127.0.0.1:4321"), want: 403},
		{name: "a socket of no page", path: "/", headers: with("Origin", ""), want: 200},
		{name: "a name that was made to lead here", path: "/", host: "evil.example:4321", headers: socket, want: 421},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodGet
			}
			r := httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil)
			r.Host = "127.0.0.1:4321"
			if c.host != "" {
				r.Host = c.host
			}
			for key, value := range c.headers {
				if value != "" {
					r.Header.Set(key, value)
				}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("status %d, want %d", w.Code, c.want)
			}
			if policy := w.Header().Get("Content-Security-Policy"); strings.Contains(policy, "evil") || !strings.Contains(policy, "script-src 'self';") {
				t.Errorf("the policy is %q", policy)
			}
			if strings.Contains(w.Body.String(), token) {
				t.Error("the answer has the token")
			}
		})
	}
}

// TestNewToken makes tokens that cannot be guessed.
func TestNewToken(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || len(a) != 22 {
		t.Errorf("%q, then %q", a, b)
	}
}
