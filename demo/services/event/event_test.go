package event

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func TestRevision(t *testing.T) {
	for name, c := range map[string]struct {
		metadata map[string]string
		want     string
	}{
		"none":                {nil, ""},
		"a controller's":      {map[string]string{"kustomize.toolkit.fluxcd.io/revision": "main@sha1:1", "summary": "x"}, "main@sha1:1"},
		"without a prefix":    {map[string]string{"revision": "main@sha1:2"}, "main@sha1:2"},
		"another field's end": {map[string]string{"kustomize.toolkit.fluxcd.io/oldrevision": "main@sha1:3", "token": "y"}, ""},
	} {
		if got := (Flux{Metadata: c.metadata}).Revision(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// stream serves a text as a stream of events, and then ends it or, with stays, keeps it open.
func stream(t *testing.T, text string, stays bool) (url string, lastID func() string) {
	t.Helper()
	var last string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		last = req.Header.Get("Last-Event-ID")
		if req.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("it accepts %q", req.Header.Get("Accept"))
		}
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		if stays {
			<-req.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() string { return last }
}

func TestFollow(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"events":           {"id: 1\ndata: a\n\nid: 2\ndata: b\n\n", []string{"1 a", "2 b"}},
		"signs of life":    {": alive\n\n: alive\n\nid: 1\ndata: a\n\n: alive\n\n", []string{"1 a"}},
		"no ID of its own": {"id: 1\ndata: a\n\ndata: b\n\n", []string{"1 a", "1 b"}},
		"an unknown field": {"retry: 10\nid: 1\nevent: x\ndata: a\n\n", []string{"1 a"}},
		"broken off":       {"id: 1\ndata: a\n\nid: 2\ndata: half", []string{"1 a"}},
		"a long line":      {"id: 1\ndata: " + strings.Repeat("x", 100_000) + "\n\n", []string{"1 " + strings.Repeat("x", 100_000)}},
		"nothing":          {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			url, lastID := stream(t, c.text, false)
			var got []string
			opened := 0
			err := Follow(t.Context(), url, "7", func() { opened++ }, func(id string, data []byte) bool {
				got = append(got, id+" "+string(data))
				return false
			})
			if err != nil || !slices.Equal(got, c.want) || opened != 1 || lastID() != "7" {
				t.Errorf("got %q, %v, opened %d times, asked from %q on; want %q", got, err, opened, lastID(), c.want)
			}
		})
	}
}

// TestFollowEnds ends a stream that would go on.
func TestFollowEnds(t *testing.T) {
	url, lastID := stream(t, "id: 1\ndata: a\n\nid: 2\ndata: b\n\n", true)
	calls := 0
	if err := Follow(t.Context(), url, "", nil, func(string, []byte) bool { calls++; return true }); err != nil || calls != 1 || lastID() != "" {
		t.Errorf("done: %d calls, %v, asked from %q on", calls, err, lastID())
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := Follow(ctx, url, "", nil, func(string, []byte) bool { cancel(enough); return false })
	if !errors.Is(err, enough) {
		t.Errorf("its context has ended: %v", err)
	}
}

func TestFollowRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	opened := func() { t.Error("it counts as open") }
	err := Follow(t.Context(), server.URL, "", opened, nil)
	if err == nil || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("no such stream: %v", err)
	}
	server.Close()
	if err := Follow(t.Context(), server.URL, "", opened, nil); err == nil {
		t.Error("no server, and no error")
	}
}
