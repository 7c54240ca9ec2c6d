package stage

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// contentPolicy lets a page use nothing but what this server sends. Styles may stand in elements, for mermaid writes
// its diagrams' and xterm.js its terminal's that way; scripts may not, and nothing is evaluated.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard lets through what comes from this machine and from the stage's own pages. A name that was made to resolve to
// loopback (DNS rebinding) gives itself away in Host, a page of another site in Origin or Sec-Fetch-Site. What changes
// anything needs the token.
func guard(port int, token string, next http.Handler) http.Handler {
	own := map[string]bool{}
	for _, host := range []string{"127.0.0.1", "localhost", "::1"} {
		own[net.JoinHostPort(host, strconv.Itoa(port))] = true
	}
	sameSite := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		switch {
		case !own[r.Host]:
			http.Error(w, "this stage is only at 127.0.0.1 and localhost", http.StatusMisdirectedRequest)
		case sameSite.Check(r) != nil:
			http.Error(w, "a page of another site cannot move the talk", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead && !authorized(r, token):
			h.Set("WWW-Authenticate", "Bearer")
			http.Error(w, "moving the talk needs the stage's token: open the presenter's address that `fluxdemo present` printed", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func authorized(r *http.Request, token string) bool {
	given, is := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return is && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1
}
