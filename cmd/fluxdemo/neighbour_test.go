package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNeighbour is another user of the machine, or a page in the user's browser:
// it tries every port of the cluster without any secret. A listener that it does
// not know of is a fault, too: docs/SECURITY.md has to name it.
func TestNeighbour(t *testing.T) {
	d := sharedDemo(t)
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]int{}
	for _, part := range s.Cluster.Components {
		addrs, err := listens(part.PID)
		if err != nil {
			t.Fatal(err)
		}
		for _, addr := range addrs {
			if !addr.IP.IsLoopback() {
				t.Errorf("%s listens on %s", part.Name, addr)
			}
			kind, err := knock(t.Context(), addr.String(), part.Namespace)
			if err != nil {
				t.Errorf("%s at %s: %v", part.Name, addr, err)
			}
			tried[kind]++
			if want := kindsOf(part.Name, part.Namespace); !slices.Contains(want, kind) {
				t.Errorf("%s at %s is %q, want one of %q", part.Name, addr, kind, want)
			}
		}
	}
	t.Logf("tried: %v", tried)
	for _, kind := range []string{"needs a certificate", "needs RBAC", "needs a token", "needs the proxy's secret", "refuses other names"} {
		if tried[kind] == 0 {
			t.Errorf("nothing %s", kind)
		}
	}
}

// kindsOf is how the listeners of a part may behave.
func kindsOf(name, namespace string) []string {
	switch {
	case name == "supervisor":
		return []string{"needs a certificate", "needs a token", "needs the proxy's secret", "refuses other names"}
	case namespace == "":
		return []string{"needs RBAC"}
	case namespace == "flux-system":
		return []string{"open"} // Flux's own servers know no users: docs/SECURITY.md says so
	}
	return []string{"refuses other names"}
}

// knock tries what an address answers to strangers, and says how it behaves. It
// fails if it gives away anything that it should not.
func knock(ctx context.Context, addr, namespace string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if namespace == "" {
		if kind, err := knockTLS(ctx, addr); kind != "" || err != nil {
			return kind, err
		}
	}
	ask := func(method, target, host, origin string) (int, error) {
		request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader("{}"))
		if err != nil {
			return 0, err
		}
		request.Host = host
		if origin != "" {
			request.Header.Set("Origin", origin)
			request.Header.Set("Sec-Fetch-Site", "cross-site")
		}
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		_, err = io.CopyN(io.Discard, response.Body, 1<<10)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return response.StatusCode, err
	}
	stranger, err := ask(http.MethodGet, "http://"+addr+"/", "rebound.example", "")
	if err != nil {
		return "", err
	}
	through, err := proxied(ctx, addr)
	switch {
	case err != nil:
		return "", err
	case through == http.StatusProxyAuthRequired:
		return "needs the proxy's secret", nil
	case stranger == http.StatusUnauthorized:
		for _, path := range []string{"/status", "/health", "/progress"} {
			if got, err := ask(http.MethodGet, "http://"+addr+path, addr, ""); err != nil || got != http.StatusUnauthorized {
				return "", fmt.Errorf("%s answers %d, %w", path, got, err)
			}
		}
		return "needs a token", nil
	case stranger == http.StatusMisdirectedRequest:
		if got, err := ask(http.MethodPost, "http://"+addr+"/", addr, "http://site.example"); err != nil || got < 400 {
			return "", fmt.Errorf("a page of another site posts: %d, %w", got, err)
		}
		return "refuses other names", nil
	}
	return "open", nil
}

// knockTLS tries servers that speak TLS; an empty kind says that it speaks none.
func knockTLS(ctx context.Context, addr string) (string, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // a stranger knows no CA
	}}
	for _, path := range []string{"/api/v1/secrets", "/metrics", "/configz", "/pods", "/debug/pprof/", "/apis/metrics.k8s.io/v1beta1/pods"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+path, nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if _, plain := errors.AsType[tls.RecordHeaderError](err); plain || err != nil && strings.Contains(err.Error(), "HTTP response to HTTPS client") {
			return "", nil
		}
		if err != nil {
			if strings.Contains(err.Error(), "certificate required") || strings.Contains(err.Error(), "bad certificate") {
				return "needs a certificate", nil
			}
			return "", err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized && response.StatusCode != http.StatusForbidden {
			return "", fmt.Errorf("%s answers %s", path, response.Status)
		}
	}
	return "needs RBAC", nil
}

// proxied asks a port to lead to the Git host, as a proxy.
func proxied(ctx context.Context, addr string) (int, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	conn.Close()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr}),
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://git.fluxdemo.svc.cluster.local/fleet.git/info/refs?service=git-upload-pack", nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	return response.StatusCode, nil
}
