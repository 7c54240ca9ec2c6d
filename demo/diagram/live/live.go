// Package live follows the targets that a diagram's nodes are bound to: their states in the cluster, and the pulses that
// cross the edges between them. It watches the API server, the Git host, and the inbox; it never polls.
package live

import (
	"time"

	"k8s.io/client-go/rest"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
)

// Status is what a node can be, in one word.
type Status string

// The statuses.
const (
	Idle      Status = "idle"      // nothing to do, or waiting for something else
	Working   Status = "working"   // something is under way
	Ready     Status = "ready"     // it is what it should be
	Failed    Status = "failed"    // it is not, and says why
	Suspended Status = "suspended" // spec.suspend is set
	Missing   Status = "missing"   // it does not exist
)

// State is how a target is.
type State struct {
	Target binding.Target `json:"target"`
	Status Status         `json:"status"`
	// Message is one line of what it says of itself, or empty.
	Message string `json:"message,omitempty"`
	// Revision is what it has, such as main@sha1:<commit>, or empty.
	Revision string `json:"revision,omitempty"`
	// Since is when it came to Status, as far as that is known.
	Since time.Time `json:"since"`
}

// Event is a news: either State or Pulse is set.
type Event struct {
	// Seq counts up from 1 for as long as the Watcher lives. A gap means that the reader was too slow.
	Seq   uint64         `json:"seq"`
	State *State         `json:"state,omitempty"`
	Pulse *binding.Pulse `json:"pulse,omitempty"`
	// Seen is when the watch or stream brought what this follows from.
	Seen time.Time `json:"seen"`
}

// Options say what a Watcher follows.
type Options struct {
	// Config leads to the API server; it needs rights to read. Needed.
	Config *rest.Config
	// GitURL is where the demo's Git host answers on this machine, such as http://127.0.0.1:30080, with or without a
	// path. Empty means that pushes and webhooks are not seen.
	GitURL string
	// InboxURL is the same of the inbox. Empty means that notifications are not seen.
	InboxURL string
	// Logf receives errors that are retried; nil drops them.
	Logf func(format string, args ...any)
}

// Condition is one of an object's conditions.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"`
}

// ObjectEvent is a Kubernetes event about an object.
type ObjectEvent struct {
	Type    string    `json:"type"` // Normal or Warning
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	At      time.Time `json:"at"`
	Count   int       `json:"count"`
}

// Detail is what a panel shows of a target. It holds no secrets.
type Detail struct {
	State State `json:"state"`
	// YAML is the object without managed fields, and without what could be a secret.
	YAML       string      `json:"yaml,omitempty"`
	Conditions []Condition `json:"conditions,omitempty"`
	// Events are the last ones, newest last.
	Events []ObjectEvent `json:"events,omitempty"`
	// Controller is the Deployment, namespace/name, that works on the object, or that the target is.
	Controller string `json:"controller,omitempty"`
	// Log is the end of the controller's log, preferably what is about the object; Problem says why it is missing.
	Log     []string `json:"log,omitempty"`
	Problem string   `json:"problem,omitempty"`
	// Parts are the states of what a role is made of, such as Flux's controllers.
	Parts []State `json:"parts,omitempty"`
}
