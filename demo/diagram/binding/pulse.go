package binding

import "time"

// The kinds of a Pulse.
const (
	Push     = "push"     // user to git: commits
	Webhook  = "webhook"  // git to webhook, webhook to Receiver: the news of a push
	Trigger  = "trigger"  // Receiver or user to an object: the request to look now
	Fetch    = "fetch"    // git or registry to a source: what is stored as an artifact
	Artifact = "artifact" // a source to a Kustomization or HelmRelease: an artifact that it builds from
	Depend   = "depend"   // Kustomization to Kustomization: the first is ready, so the second, which waits for it, may go on
	Apply    = "apply"    // Kustomization or HelmRelease to kubernetes: a revision's manifests
	Drift    = "drift"    // the same: what was changed by hand and is put back
	Change   = "change"   // user to kubernetes: a change by hand of what Flux manages
	Notify   = "notify"   // an object of Flux to inbox: a notification
)

// Pulse is one event that has crossed an edge: a push, a fetch, an apply.
type Pulse struct {
	From Target `json:"from"`
	To   Target `json:"to"`
	// What is one of the words above.
	What string `json:"what"`
	// Revision is the commit or artifact that it is about, if it is.
	Revision string `json:"revision,omitempty"`
	// Object is what it is about: the ref that was pushed, or Kind/namespace/name of what was applied or put back.
	Object string `json:"object,omitempty"`
	// Evidence says in a few words how that is known.
	Evidence string `json:"evidence,omitempty"`
	// At is when it happened or, if that is unknown, when it was seen.
	At time.Time `json:"at"`
}
