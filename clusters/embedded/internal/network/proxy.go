package network

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/clusters/internal/limit"
)

// proxyUser is the name that goes with the proxy's secret.
const proxyUser = "pod"

// proxy is the forward proxy of the pods' processes: requests with an absolute
// URI and CONNECT tunnels, both to Services by name. It serves those who know
// its secret.
type proxy struct {
	resolve *resolver
	login   []byte  // the Proxy-Authorization to ask for
	egress  *egress // nil: nothing leaves the cluster
	local   *http.Transport
	reverse *httputil.ReverseProxy
}

func newProxy(resolve *resolver, secret string, allowEgress bool, logf func(string, ...any)) *proxy {
	p := &proxy{
		resolve: resolve,
		login:   []byte(basicAuth(proxyUser, secret)),
		local: &http.Transport{
			DialContext:           dialLocal,
			DisableCompression:    true, // bodies pass as they are
			MaxIdleConnsPerHost:   32,
			IdleConnTimeout:       time.Minute,
			ExpectContinueTimeout: time.Second,
		},
	}
	if allowEgress {
		p.egress = newEgress()
	}
	p.reverse = &httputil.ReverseProxy{
		Rewrite:       keepRequest,
		Transport:     p,
		FlushInterval: -1, // event streams and progress lines arrive at once
		ErrorLog:      log.New(lines(logf), "", 0),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), statusOf(err))
		},
	}
	return p
}

// keepRequest undoes what httputil does for a proxy in front of a site: to a
// forward proxy these headers and the query are none of its business. httputil
// has removed what is between the client and the proxy alone, such as
// Proxy-Authorization.
func keepRequest(r *httputil.ProxyRequest) {
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, ok := r.In.Header[name]; ok {
			r.Out.Header[name] = values
		}
	}
}

// ServeHTTP serves one request of a pod's process.
func (p *proxy) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	tunnel := req.Method == http.MethodConnect
	switch {
	case !tunnel && (!req.URL.IsAbs() || req.URL.Host == ""):
		// Also a browser that was lured here by a foreign page ends up here.
		http.Error(w, "this is the cluster's forward proxy, for its pods alone", http.StatusBadRequest)
	case subtle.ConstantTimeCompare([]byte(req.Header.Get("Proxy-Authorization")), p.login) != 1:
		w.Header().Set("Proxy-Authenticate", `Basic realm="fluxdemo"`)
		http.Error(w, "the cluster's forward proxy is for its pods alone: they have its password in HTTP_PROXY", http.StatusProxyAuthRequired)
	case tunnel:
		limit.Prove(req)
		serveTunnel(w, req, p.dial)
	default:
		limit.Prove(req)
		p.reverse.ServeHTTP(w, req)
	}
}

// RoundTrip sends a request to a ready endpoint of the Service that its URL
// names, or out of the cluster if that is allowed.
func (p *proxy) RoundTrip(req *http.Request) (*http.Response, error) {
	target, inCluster, err := parseHost(req.URL.Host, 80)
	if err != nil {
		return nil, err
	}
	if !inCluster {
		if p.egress == nil {
			return nil, refuseEgress(req.URL.Host)
		}
		return p.egress.transport.RoundTrip(req)
	}
	if req.URL.Scheme != "http" {
		return nil, fail(http.StatusBadRequest, "%s: only http can be proxied, %q needs CONNECT", target, req.URL.Scheme)
	}
	var resp *http.Response
	err = p.resolve.reach(req.Context(), target, func(addr string) (err error) {
		resp, err = p.local.RoundTrip(aim(req, addr)) //nolint:bodyclose // the caller has it
		return err
	})
	if err != nil && !isFailure(err) {
		err = fmt.Errorf("%s: %w", target, err)
	}
	return resp, err
}

// aim makes a copy of req that goes to addr, still with its own Host header.
// Closing the copy's body leaves the request's open: after a failed dial it is
// needed once more.
func aim(req *http.Request, addr string) *http.Request {
	out := req.WithContext(req.Context())
	target := *req.URL
	target.Host = addr
	out.URL = &target
	if out.Host == "" {
		out.Host = req.URL.Host
	}
	if req.Body != nil && req.Body != http.NoBody {
		out.Body = io.NopCloser(req.Body)
	}
	return out
}

// dial opens a CONNECT tunnel's far end.
func (p *proxy) dial(ctx context.Context, hostport string) (net.Conn, error) {
	target, inCluster, err := parseHost(hostport, 443)
	switch {
	case err != nil:
		return nil, err
	case inCluster:
		return p.resolve.dial(ctx, target)
	case p.egress == nil:
		return nil, refuseEgress(hostport)
	}
	return p.egress.dial(ctx, hostport)
}

// close drops the connections that are kept for reuse.
func (p *proxy) close() {
	p.local.CloseIdleConnections()
	if p.egress != nil {
		p.egress.transport.CloseIdleConnections()
	}
}

func refuseEgress(hostport string) error {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return fail(http.StatusForbidden, "egress is refused: %s; `fluxdemo up --allow-egress` opens it", strings.Trim(host, "[]"))
}

func isFailure(err error) bool {
	_, ok := errors.AsType[*failure](err)
	return ok
}
