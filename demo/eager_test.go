package demo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestEager asks a server that is not ready for the first requests.
func TestEager(t *testing.T) {
	for _, test := range []struct {
		name     string
		refusals int
		advice   string // Retry-After
		body     func() io.Reader
		asked    int
		code     int
	}{
		{"ready", 0, "1", nil, 1, http.StatusOK},
		{"ready at the third request", 2, "1", nil, 3, http.StatusOK},
		{"with a body", 2, "1", func() io.Reader { return strings.NewReader("hello") }, 3, http.StatusOK},
		{"with a body that is read once", 2, "1", func() io.Reader { return io.MultiReader(strings.NewReader("hello")) }, 1, http.StatusTooManyRequests},
		{"without advice", 2, "", nil, 1, http.StatusTooManyRequests},
		{"never ready", eagerTries + 1, "1", nil, eagerTries, http.StatusTooManyRequests},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				if body, err := io.ReadAll(r.Body); err != nil || test.body != nil && string(body) != "hello" {
					t.Errorf("request %d: %q, %v", asked, body, err)
				}
				if asked <= test.refusals {
					if test.advice != "" {
						w.Header().Set("Retry-After", test.advice)
					}
					w.WriteHeader(http.StatusTooManyRequests)
				}
			}))
			t.Cleanup(server.Close)
			var body io.Reader
			if test.body != nil {
				body = test.body()
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			response, err := (&http.Client{Transport: eager{http.DefaultTransport}}).Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if asked != test.asked || response.StatusCode != test.code {
				t.Errorf("asked %d times, answer %d, want %d and %d", asked, response.StatusCode, test.asked, test.code)
			}
		})
	}
}

func TestEagerCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		cancel()
	}))
	t.Cleanup(server.Close)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := (&http.Client{Transport: eager{http.DefaultTransport}}).Do(request); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v, want %v", response, err, context.Canceled)
	}
}
