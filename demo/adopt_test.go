package demo

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
)

// TestAdopt asks API servers that have Flux or not.
func TestAdopt(t *testing.T) {
	const (
		groups    = "/apis"
		sync      = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system"
		namespace = "/api/v1/namespaces/flux-system"

		flux   = `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"source.toolkit.fluxcd.io","versions":[{"groupVersion":"source.toolkit.fluxcd.io/v1","version":"v1"}]}]}`
		none   = `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`
		object = `{"kind":"GitRepository","apiVersion":"source.toolkit.fluxcd.io/v1","metadata":{"name":"flux-system","namespace":"flux-system"}}`
		place  = `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"flux-system"}}`
	)
	for name, test := range map[string]struct {
		serves map[string]string
		use    bool
		want   []string
		err    string
	}{
		"no Flux":              {map[string]string{groups: none}, true, nil, ""},
		"Flux, not to be used": {map[string]string{groups: flux, namespace: place}, false, nil, "--adopt-flux"},
		"Flux, to be used":     {map[string]string{groups: flux, namespace: place}, true, []string{FluxNamespace}, ""},
		"Flux elsewhere":       {map[string]string{groups: flux}, true, nil, "is not in the namespace flux-system"},
		"it follows something": {map[string]string{groups: flux, namespace: place, sync: object}, true, nil, "follows a repository of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				body, is := test.serves[r.URL.Path]
				switch {
				case is:
				case r.URL.Path == "/api":
					body = `{"kind":"APIVersions","versions":["v1"]}`
				default:
					w.WriteHeader(http.StatusNotFound)
					body = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`
				}
				_, _ = w.Write([]byte(body))
			}))
			defer server.Close()
			got, err := Adopt(t.Context(), &rest.Config{Host: server.URL}, test.use)
			if !slices.Equal(got, test.want) || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("%v, %v; want %v, %q", got, err, test.want, test.err)
			}
		})
	}
}
