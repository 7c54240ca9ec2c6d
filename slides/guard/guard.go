// Package guard protects the pages that fluxdemo serves on loopback. It refuses what other machines, other sites, and
// other users of this machine send.
package guard

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// contentPolicy lets a page use nothing but what this server sends. Styles may stand in elements, for mermaid writes
// its diagrams' and xterm.js its terminal's that way; scripts may not, and nothing is evaluated.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// tokenProtocol begins the WebSocket subprotocol that carries the token: browsers let a page set no other header there.
const tokenProtocol = "fluxdemo.token."

// Options says what to protect.
type Options struct {
	// Port is the server's on 127.0.0.1.
	Port int
	// Token is the secret that clients need.
	Token string
	// What is served, in messages: "the presentation".
	What string
	// Where says, in messages, where a user finds the token: "the presenter's address that `fluxdemo present` printed".
	Where string
	// Private reports whether a request that only reads needs the token too. Others always need it. nil: none does.
	Private func(r *http.Request) bool
}

// NewToken returns a random token of 128 bits, as text for a URL.
func NewToken() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// Port returns the port of a listener. It fails if other machines reach the listener. what listens, in the error: "the
// stage".
func Port(ln net.Listener, what string) (int, error) {
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() {
		return 0, fmt.Errorf("%s listens only on loopback addresses, not on %s", what, ln.Addr())
	}
	return addr.Port, nil
}

// New lets through to next what comes from this machine and from the server's own pages. A name that was made to
// resolve to loopback (DNS rebinding) gives itself away in Host, a page of another site in Origin or Sec-Fetch-Site.
// What changes anything needs the token: as bearer, or, of a WebSocket, as the subprotocol fluxdemo.token.TOKEN.
func New(o Options, next http.Handler) http.Handler {
	own := map[string]bool{}
	for _, host := range []string{"127.0.0.1", "localhost", "::1"} {
		own[net.JoinHostPort(host, strconv.Itoa(o.Port))] = true
	}
	sameSite := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Upgrade") == ""
		h := w.Header()
		policy := contentPolicy + "; connect-src 'self'"
		if own[r.Host] && o.Private != nil { // some browsers do not count a WebSocket as 'self'
			policy += " ws://" + r.Host
		}
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		switch {
		case !own[r.Host]:
			http.Error(w, "use 127.0.0.1 or localhost to reach "+o.What, http.StatusMisdirectedRequest)
		case sameSite.Check(r) != nil, r.Header.Get("Upgrade") != "" && !sameOrigin(r):
			http.Error(w, "a page of another site cannot control "+o.What, http.StatusForbidden)
		case (!reads || o.Private != nil && o.Private(r)) && !authorized(r, o.Token):
			h.Set("WWW-Authenticate", "Bearer")
			http.Error(w, "controlling "+o.What+" needs its token: open "+o.Where, http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// sameOrigin reports whether a WebSocket is one of the server's own pages, or of no page. CrossOriginProtection lets
// every GET pass, which a WebSocket begins with.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return r.Header.Get("Sec-Fetch-Site") == "" // not from a browser
	}
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "http" && u.Host == r.Host
}

func authorized(r *http.Request, token string) bool {
	given, is := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !is && r.Header.Get("Upgrade") != "" {
		for protocol := range strings.SplitSeq(strings.Join(r.Header.Values("Sec-WebSocket-Protocol"), ","), ",") {
			if given, is = strings.CutPrefix(strings.TrimSpace(protocol), tokenProtocol); is {
				break
			}
		}
	}
	return is && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1
}
