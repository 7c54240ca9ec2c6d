// Package gitapi defines the requests that the demo's Git host takes beside Git's own, and a client for them. It does
// not import the server, so clients do not link it.
package gitapi

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Path is where the Git host lists repositories (GET) and creates one (POST). Below it, NAME/reset takes a Reset.
const Path = "/api/repositories"

// Restore is the push option that brings back commits which a reset has removed, as in `git push -o restore`.
const Restore = "restore"

// longest is how many characters the name of a repository may have.
const longest = 64

// Repository is a repository of the Git host.
type Repository struct {
	// Name is without ".git", for example "fleet".
	Name string `json:"name"`
	// URL is for git clone, at the address at which the Git host was asked.
	URL string `json:"url"`
	// Branch is the default branch, for example "main".
	Branch string `json:"branch"`
	// Commit is the head of Branch, 40 hexadecimal digits; empty if there is none yet.
	Commit string `json:"commit,omitempty"`
	// Webhook says whether the Receiver gets the pushes.
	Webhook bool `json:"webhook"`
}

// List is the answer to a GET of Path.
type List struct {
	Repositories []Repository `json:"repositories"`
}

// Reset says that the demo was reset: Branch moves to Commit, and pushes must not bring back what this removes.
type Reset struct {
	Branch string `json:"branch"` // the short name, for example "main"
	Commit string `json:"commit"` // 40 hexadecimal digits
}

// CheckName returns an error if a repository cannot have a name. It says which names are possible.
func CheckName(name string) error {
	const rule = "use letters, digits, dots, dashes, and underscores"
	lower := strings.ToLower(name)
	switch {
	case len(name) > longest:
		return fmt.Errorf("the name has %d characters; use at most %d", len(name), longest)
	case !regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`).MatchString(name) || strings.Contains(name, ".."):
		return fmt.Errorf("%q is not a valid name for a repository: %s", name, rule)
	case strings.HasSuffix(lower, ".git") || strings.HasSuffix(lower, ".lock"):
		return fmt.Errorf("%q is not a valid name for a repository: leave out the ending", name)
	case slices.Contains([]string{"api", "deliveries", "events", "healthz"}, lower):
		return fmt.Errorf("%q is not a valid name for a repository: the Git host uses it for a page of its own", name)
	}
	return nil
}

// ErrUnknown says that the Git host does not know the repository, or, if it is of an earlier version, the request.
var ErrUnknown = errors.New("not found")
