// Package wait holds the waits that walks need and that neither kubectl nor flux has: for a web page, a notification,
// and a webhook. Each returns as soon as the state is reached, and its error at the deadline has the last state.
package wait

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// askEvery is how often a page is asked for again, and how soon a server that did not answer is.
const askEvery = 100 * time.Millisecond

// answerTime is how long one answer may take, apart from a long poll.
const answerTime = 5 * time.Second

// maxBody is how much of an answer is read, in bytes.
const maxBody = 4 << 20

// Page waits until the page at url answers 200 and contains text, "" for any. A page cannot be watched, so it is asked for ten
// times a second, each time over a new connection: an old one would stay with the pod that goes away.
// ctx carries the deadline; the error says what the page answered last.
func Page(ctx context.Context, url, text string) error {
	if _, err := http.NewRequest(http.MethodGet, url, nil); err != nil {
		return fmt.Errorf("waiting for a page: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: answerTime}
	last := errors.New("it has not answered yet")
	found := again(ctx, func() bool {
		status, body, err := get(ctx, client, url)
		switch {
		case ctx.Err() != nil: // what was seen before says more than that time is over
		case err != nil:
			last = err
		case status != http.StatusOK:
			last = fmt.Errorf("it answers %d %s", status, http.StatusText(status))
		case !bytes.Contains(body, []byte(text)):
			last = errors.New("it answers without that text")
		default:
			return true
		}
		return false
	})
	if !found && text == "" {
		return fmt.Errorf("waiting for the page %s: %w: %w", url, context.Cause(ctx), last)
	}
	if !found {
		return fmt.Errorf("waiting for %q on the page %s: %w: %w", text, url, context.Cause(ctx), last)
	}
	return nil
}

// again calls done at once and then every askEvery until it returns true, or ctx ends.
func again(ctx context.Context, done func() bool) bool {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if done() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

func get(ctx context.Context, client *http.Client, url string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, body, err
}
