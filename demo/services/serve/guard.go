package serve

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Guard lets through to next what was meant for this server, and refuses what a page of another site has a browser send.
// A name that its owner made to resolve to this machine (DNS rebinding) gives itself away in Host, a form or script of
// another site in Origin or Sec-Fetch-Site.
//
// names are the server's besides those that nobody else can own: addresses, localhost, and names below svc. A name with
// an address behind it is no way in for others: the browser has looked nothing up.
func Guard(next http.Handler, names ...string) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !meant(r.Host, names):
			http.Error(w, "this server does not answer to this name: use 127.0.0.1 or localhost, or name it with --host",
				http.StatusMisdirectedRequest)
		case sameSite.Check(r) != nil:
			http.Error(w, "a page of another site may not send this", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// meant reports whether the Host of a request names this server.
func meant(host string, names []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" { // HTTP/1.0, which no browser speaks
		return true
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	if host == "localhost" || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local") {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, host) })
}

// InCluster returns the short names of a Service, with which pods reach it.
func InCluster(service, namespace string) []string {
	return []string{service, service + "." + namespace}
}
