package demo

import (
	"io"
	"net/http"
	"time"
)

const (
	eagerPause = 50 * time.Millisecond
	eagerTries = 100
)

// eager retries soon when an API server answers "too many requests, come back
// in a second". The API server answers that while it fills the cache of a
// kind: for a new CRD, at the first request for a CRD, and for all of them
// after a restart. client-go would sleep a second, but the cache is ready
// after 50 ms. After several tries, eager leaves the wait to client-go.
type eager struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (e eager) RoundTrip(request *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		response, err := e.next.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" ||
			request.Body != nil && request.GetBody == nil || try == eagerTries {
			return response, err
		}
		_, _ = io.Copy(io.Discard, response.Body) // the connection can be used again
		response.Body.Close()
		select {
		case <-request.Context().Done():
			return nil, request.Context().Err()
		case <-time.After(eagerPause):
		}
		if request.Body != nil {
			body, err := request.GetBody()
			if err != nil {
				return nil, err
			}
			request = request.Clone(request.Context())
			request.Body = body
		}
	}
}
