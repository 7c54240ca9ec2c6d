// Package event defines the JSON and the streams that the Git host and the inbox serve, and the client that follows a
// stream. It does not import the servers, so clients do not link them.
package event

import "time"

// The kinds of a Git event.
const (
	Push     = "push"
	Delivery = "delivery"
)

// The states of a delivery: retrying is reported once, after the first failed attempt; the others are final.
const (
	Delivered  = "delivered"
	Retrying   = "retrying"
	Superseded = "superseded" // a newer push to the same branch is delivered instead
	Failed     = "failed"     // given up
)

// Git is a push that the Git host received, or what became of its webhook. It holds no secrets.
type Git struct {
	// Kind is Push or Delivery.
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

// NumberedGit is a Git event in the Git host's stream at /events and, of deliveries, in its list at /deliveries.
type NumberedGit struct {
	// ID counts up from 1; it starts again with the server.
	ID int64 `json:"id"`
	// Time is when it happened, UTC.
	Time time.Time `json:"time"`
	Git
}
