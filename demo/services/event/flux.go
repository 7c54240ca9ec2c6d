package event

import (
	"strings"
	"time"
)

// Object is what a notification is about.
type Object struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// Flux is a notification as Flux sends it: the parts of github.com/fluxcd/pkg/apis/event/v1beta1.Event that are shown.
type Flux struct {
	InvolvedObject      Object            `json:"involvedObject"`
	Severity            string            `json:"severity"`
	Timestamp           time.Time         `json:"timestamp"`
	Message             string            `json:"message"`
	Reason              string            `json:"reason"`
	Metadata            map[string]string `json:"metadata,omitempty"`
	ReportingController string            `json:"reportingController"`
	ReportingInstance   string            `json:"reportingInstance,omitempty"`
}

// Notification is a Flux event in the inbox.
type Notification struct {
	// ID counts up from 1; it starts again when the inbox has lost what it kept.
	ID int64 `json:"id"`
	// Received is when it came, UTC.
	Received time.Time `json:"received"`
	Flux
}

// Notifications is the inbox's answer to GET /notifications, newest last. Last is the ID to ask on from.
type Notifications struct {
	Last          int64          `json:"last"`
	Notifications []Notification `json:"notifications"`
}

// Revision is the source's revision that the event names, or empty.
func (e Flux) Revision() string {
	for key, v := range e.Metadata {
		// Each controller has its own prefix: kustomize.toolkit.fluxcd.io/revision and so on.
		if key == "revision" || strings.HasSuffix(key, "/revision") {
			return v
		}
	}
	return ""
}
