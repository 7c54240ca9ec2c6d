package wait

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
)

// longPoll is how long the inbox may hold back its answer.
const longPoll = 30 * time.Second

// Match says which notification to wait for. Empty fields match everything.
type Match struct {
	Kind     string // the object's kind, such as Kustomization
	Name     string // the object's name
	Reason   string // such as ReconciliationSucceeded
	Severity string // info or error
	Revision string // such as main@sha1:<commit>, found in the notification's metadata
	Contains string // a part of the message
}

// Describe returns a notification in two lines: what it is about, and its message.
func Describe(n *event.Notification) string {
	return fmt.Sprintf("%s  %s/%s  %s\n%s", n.Severity, n.InvolvedObject.Kind, n.InvolvedObject.Name, n.Reason, strings.TrimSpace(n.Message))
}

func (m Match) fits(n *event.Notification) bool {
	same := func(want, got string) bool { return want == "" || want == got }
	return same(m.Kind, n.InvolvedObject.Kind) && same(m.Name, n.InvolvedObject.Name) && same(m.Reason, n.Reason) &&
		same(m.Severity, n.Severity) && strings.Contains(n.Message, m.Contains) && m.fitsRevision(n.Metadata)
}

// fitsRevision looks at metadata keys with and without a group in front: the source of an event writes the former,
// and the notification-controller may take the group away.
func (m Match) fitsRevision(metadata map[string]string) bool {
	if m.Revision == "" {
		return true
	}
	for key, value := range metadata {
		if (key == "revision" || strings.HasSuffix(key, "/revision")) && value == m.Revision {
			return true
		}
	}
	return false
}

// Notification waits until the inbox at inboxURL has a notification that m fits, one from before the call included,
// and returns it. It uses the inbox's long poll, and begins anew when the inbox was restarted.
// ctx carries the deadline; the error says what the inbox had last.
func Notification(ctx context.Context, inboxURL string, m Match) (*event.Notification, error) {
	base, err := url.Parse(inboxURL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("waiting for a notification: %q is not an inbox address such as http://127.0.0.1:30080", inboxURL)
	}
	base = base.JoinPath("notifications")
	// Over a used connection the client would by itself repeat a question that a restart cut off, with an old ID.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: longPoll + answerTime}
	var (
		since int64
		last  = errors.New("the inbox has not answered yet")
		found *event.Notification
	)
	again(ctx, func() bool {
		for ctx.Err() == nil {
			notices, err := ask(ctx, client, base, since)
			if err != nil {
				if ctx.Err() == nil {
					last, since = err, 0
				}
				return false
			}
			if len(notices) == 0 {
				if since == 0 {
					last = errors.New("the inbox is empty")
				}
				return false
			}
			for i := range notices {
				n := &notices[i]
				if m.fits(n) {
					found = n
					return true
				}
				since = max(since, n.ID)
				last = fmt.Errorf("the last one was: %s", strings.ReplaceAll(Describe(n), "\n", " "))
			}
		}
		return false
	})
	if found == nil {
		return nil, fmt.Errorf("waiting for a notification at %s: %w: %w", base, context.Cause(ctx), last)
	}
	return found, nil
}

func ask(ctx context.Context, client *http.Client, base *url.URL, since int64) ([]event.Notification, error) {
	u := *base
	u.RawQuery = url.Values{"since": {strconv.FormatInt(since, 10)}, "wait": {longPoll.String()}}.Encode()
	status, body, err := get(ctx, client, u.String())
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("the inbox answers %d %s", status, http.StatusText(status))
	}
	var list event.Notifications
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("reading the inbox's answer: %w", err)
	}
	return list.Notifications, nil
}
