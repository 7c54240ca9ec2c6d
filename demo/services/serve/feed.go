package serve

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Item is one entry of a Feed.
type Item[T any] struct {
	// ID counts up from 1 without gaps, for as long as the server lives.
	ID int64
	// Time is when the entry was added, UTC.
	Time time.Time
	// Value is what was added.
	Value T
}

// Feed remembers the last entries in the order they came and wakes those who wait for the next one.
// It is safe for concurrent use.
type Feed[T any] struct {
	adding  sync.Mutex // held from the choice of an ID until the entry is there
	mu      sync.Mutex
	size    int
	last    int64
	items   []Item[T]
	changed chan struct{}
}

// NewFeed returns an empty feed that keeps the last size entries.
func NewFeed[T any](size int) *Feed[T] {
	return &Feed[T]{size: size, changed: make(chan struct{})}
}

// Add appends an entry, forgets the oldest one if there are too many, and returns what was added.
func (f *Feed[T]) Add(v T) Item[T] {
	it, _ := f.AddKept(v, func(Item[T]) error { return nil })
	return it
}

// AddKept does what Add does once keep has returned nil. Nobody sees the entry before; after an error its ID is that of
// the next one. keep may take its time: only others who add wait for it.
func (f *Feed[T]) AddKept(v T, keep func(Item[T]) error) (Item[T], error) {
	f.adding.Lock()
	defer f.adding.Unlock()
	f.mu.Lock()
	it := Item[T]{ID: f.last + 1, Time: time.Now().UTC(), Value: v}
	f.mu.Unlock()
	if err := keep(it); err != nil {
		return it, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = it.ID
	if len(f.items) == f.size {
		f.items = append(f.items[:0], f.items[1:]...)
	}
	f.items = append(f.items, it)
	close(f.changed)
	f.changed = make(chan struct{})
	return it, nil
}

// Restore puts back entries that an earlier life of the server had, in their order. It comes before the first Add.
func (f *Feed[T]) Restore(items []Item[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = append(f.items, items[max(0, len(items)-f.size):]...)
	if n := len(f.items); n > 0 {
		f.last = f.items[n-1].ID
	}
}

// Since returns the remembered entries with an ID above since, oldest first, the newest ID there is,
// and a channel that is closed when the next entry comes.
// An ID that was never given out is one from before a restart: everything is returned.
func (f *Feed[T]) Since(since int64) (items []Item[T], last int64, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if since > f.last || since < 0 {
		since = 0
	}
	for i, it := range f.items {
		if it.ID > since {
			items = append(items, f.items[i:]...)
			break
		}
	}
	return items, f.last, f.changed
}

// Stream serves the feed as server-sent events: the ID is the entry's, encode gives the event's name and its JSON.
// A client that reconnects sends Last-Event-ID and misses nothing that is still remembered; a new one gets all of it.
func (f *Feed[T]) Stream(encode func(Item[T]) (event string, v any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A Last-Event-ID that is no number is not ours: the client starts anew.
		since, _ := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
		s, ok := NewStream(w)
		if !ok {
			return
		}
		for {
			items, last, changed := f.Since(since)
			for _, it := range items {
				event, v := encode(it)
				if s.Send(strconv.FormatInt(it.ID, 10), event, v) != nil {
					return
				}
			}
			since = last
			if !s.Wait(r.Context(), changed) {
				return
			}
		}
	}
}
