package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"
)

func TestFeed(t *testing.T) {
	f := NewFeed[string](3)
	for _, v := range []string{"a", "b", "c", "d"} {
		f.Add(v)
	}
	for since, want := range map[int64][]string{0: {"b", "c", "d"}, 1: {"b", "c", "d"}, 2: {"c", "d"}, 4: nil, 5: {"b", "c", "d"}, -1: {"b", "c", "d"}} {
		items, last, changed := f.Since(since)
		var got []string
		for _, it := range items {
			got = append(got, it.Value)
		}
		if !slices.Equal(got, want) || last != 4 {
			t.Errorf("since %d: %q, last %d, want %q", since, got, last, want)
		}
		select {
		case <-changed:
			t.Errorf("since %d: changed without a change", since)
		default:
		}
	}
	items, _, changed := f.Since(2)
	if it := f.Add("e"); it.ID != 5 {
		t.Errorf("fifth entry has ID %d", it.ID)
	}
	select {
	case <-changed:
	default:
		t.Error("nobody was woken")
	}
	if items[0].Value != "c" {
		t.Errorf("what was returned changed later: %q", items[0].Value)
	}
}

// TestAddKept: what was not kept is not there, and leaves no gap.
func TestAddKept(t *testing.T) {
	f := NewFeed[string](3)
	full := errors.New("full")
	if _, err := f.AddKept("a", func(Item[string]) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
	it, err := f.AddKept("b", func(it Item[string]) error {
		if items, _, _ := f.Since(0); len(items) != 0 {
			t.Errorf("there is %v before it is kept", items)
		}
		return nil
	})
	if items, last, _ := f.Since(0); err != nil || it.ID != 1 || last != 1 || len(items) != 1 || items[0].Value != "b" {
		t.Errorf("%v, %v, then %v up to %d", it, err, items, last)
	}
}

// TestStopCutsOff: requests in flight may end, but one that does not end is cut off within the second.
func TestStopCutsOff(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inside, gone := make(chan struct{}, 2), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	mux := http.NewServeMux()
	mux.HandleFunc("/finishes", func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-Draining(r.Context())
		if r.Context().Err() != nil {
			t.Error("the request was given up at once")
		}
		Healthy(w, r)
	})
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-r.Context().Done()
		close(gone)
	})
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, ln, mux, nil) }()
	codes := make(chan int, 2)
	for _, path := range []string{"/finishes", "/hangs"} {
		go func() {
			req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String()+path, nil)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				codes <- 0
				return
			}
			_ = resp.Body.Close()
			codes <- resp.StatusCode
		}()
	}
	<-inside
	<-inside
	began := time.Now()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 1500*time.Millisecond {
		t.Errorf("stopping took %s", d)
	}
	if got := []int{<-codes, <-codes}; got[0] != http.StatusOK || got[1] != 0 {
		t.Errorf("answers %v, want the first request to end well and the second to be cut off", got)
	}
	<-gone
}
