package event

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// KeepAlive is how often a server writes to a stream that has nothing to say. It is shorter than the idle time after
// which a proxy gives up on a stream.
const KeepAlive = 15 * time.Second

// silence is how long a stream may say nothing, not even that it is alive, before it counts as dead.
const silence = 3 * KeepAlive

// longest is the size of the longest line that Follow takes, in bytes.
const longest = 4 << 20

// Follow connects to the stream of server-sent events at url and hands on each event: its ID and its data. lastID is
// that of the last event which is known already, "" for none. opened is called once the server has answered, and may
// be nil. It returns when done returns true (then nil), the stream ends or is silent for too long, or ctx ends.
func Follow(ctx context.Context, url, lastID string, opened func(), done func(id string, data []byte) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("%s is silent", url)) })
	defer watchdog.Stop()
	// A stream has its connection to itself: an old one would stay with a server that goes away.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d %s", url, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	if opened != nil {
		opened()
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, longest)
	id, data := "", ""
	for lines.Scan() {
		watchdog.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "data":
			data = value
		case "":
			if data != "" && done(id, []byte(data)) {
				return nil
			}
			data = ""
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return lines.Err()
}
