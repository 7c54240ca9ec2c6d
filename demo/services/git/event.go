package git

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/object"

	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

// The kinds of an Event.
const (
	EventPush     = "push"
	EventDelivery = "delivery"
)

// The states of a delivery: retrying is reported once, after the first failed attempt; the others are final.
const (
	StateDelivered  = "delivered"
	StateRetrying   = "retrying"
	StateSuperseded = "superseded" // a newer push to the same branch is delivered instead
	StateFailed     = "failed"     // given up
)

// Event is a push that was received, or what became of its webhook. It holds no secrets.
type Event struct {
	// Kind is EventPush or EventDelivery.
	Kind string `json:"kind"`
	// Repository is the name without ".git", Ref the full name of the branch or tag.
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	// Before and Commit are the commits that Ref pointed to and points to; zeros mean that it was or is not there.
	Before string `json:"before"`
	Commit string `json:"commit"`
	// The rest belongs to deliveries.
	State string `json:"state,omitempty"`
	// Delivery is the UUID in X-GitHub-Delivery.
	Delivery string `json:"delivery,omitempty"`
	// Status is the receiver's last HTTP status; 0 if it gave none.
	Status   int `json:"status,omitempty"`
	Attempts int `json:"attempts,omitempty"`
	// DurationMS counts from the push (or start of the server) to the end of the last attempt, in milliseconds.
	DurationMS int64 `json:"durationMs,omitempty"`
	// Error says why the last attempt failed.
	Error string `json:"error,omitempty"`
}

// numbered is an Event as the pages and streams show it.
type numbered struct {
	ID   int64     `json:"id"`
	Time time.Time `json:"time"`
	Event
}

func encodeEvent(it serve.Item[Event]) (string, any) {
	return it.Value.Kind, numbered{it.ID, it.Time, it.Value}
}

// deliveries shows the last webhooks, oldest first.
func (s *Server) deliveries(w http.ResponseWriter, _ *http.Request) {
	items, _, _ := s.feed.Since(0)
	list := []numbered{}
	for _, it := range items {
		if it.Value.Kind == EventDelivery {
			list = append(list, numbered{it.ID, it.Time, it.Value})
		}
	}
	serve.JSON(w, map[string]any{"deliveries": list})
}

// The parts of GitHub's push event that receivers look at.
type (
	person struct {
		Name  string `json:"name"`
		Email string `json:"email,omitempty"`
	}
	commitInfo struct {
		ID        string    `json:"id"`
		Message   string    `json:"message"`
		Timestamp time.Time `json:"timestamp"`
		Author    person    `json:"author"`
		Committer person    `json:"committer"`
	}
	repoInfo struct {
		Name          string `json:"name"`
		FullName      string `json:"full_name"`
		CloneURL      string `json:"clone_url"`
		DefaultBranch string `json:"default_branch"`
	}
	pushEvent struct {
		Ref        string       `json:"ref"`
		Before     string       `json:"before"`
		After      string       `json:"after"`
		Created    bool         `json:"created"`
		Deleted    bool         `json:"deleted"`
		Forced     bool         `json:"forced"`
		Repository repoInfo     `json:"repository"`
		Pusher     person       `json:"pusher"`
		HeadCommit *commitInfo  `json:"head_commit"`
		Commits    []commitInfo `json:"commits"`
	}
)

// payload makes the body of a webhook.
func payload(cfg Config, rp *repo, u refUpdate) ([]byte, error) {
	st := rp.open()
	defer closeStorage(st)
	ev := pushEvent{
		Ref: u.Ref.String(), Before: u.Before.String(), After: u.After.String(),
		Created: u.Before.IsZero(), Deleted: u.After.IsZero(),
		Forced: !u.Before.IsZero() && !u.After.IsZero() && !ancestor(st, u.Before, u.After),
		Repository: repoInfo{
			Name: rp.name, FullName: cfg.Username + "/" + rp.name,
			CloneURL: cfg.URL + "/" + rp.name + ".git", DefaultBranch: plumbing.Main.Short(),
		},
		Pusher:  person{Name: cfg.Username},
		Commits: []commitInfo{},
	}
	// A tag of something else than a commit simply has no head commit.
	if c, err := object.GetCommit(st, u.After); err == nil {
		info := commitInfo{
			ID: c.Hash.String(), Message: c.Message, Timestamp: c.Committer.When,
			Author:    person{c.Author.Name, c.Author.Email},
			Committer: person{c.Committer.Name, c.Committer.Email},
		}
		ev.HeadCommit, ev.Commits = &info, []commitInfo{info}
	}
	body, err := json.Marshal(ev)
	if err != nil {
		return nil, fmt.Errorf("encode the webhook: %w", err)
	}
	return body, nil
}
