package git

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/object"

	"github.com/fluxdemo/fluxdemo/demo/services/event"
	"github.com/fluxdemo/fluxdemo/demo/services/serve"
)

func encodeEvent(it serve.Item[event.Git]) (string, any) {
	return it.Value.Kind, event.NumberedGit{ID: it.ID, Time: it.Time, Git: it.Value}
}

// deliveries shows the last webhooks, oldest first.
func (s *Server) deliveries(w http.ResponseWriter, _ *http.Request) {
	items, _, _ := s.feed.Since(0)
	list := []event.NumberedGit{}
	for _, it := range items {
		if it.Value.Kind == event.Delivery {
			list = append(list, event.NumberedGit{ID: it.ID, Time: it.Time, Git: it.Value})
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
		return nil, fmt.Errorf("encoding the webhook: %w", err)
	}
	return body, nil
}
