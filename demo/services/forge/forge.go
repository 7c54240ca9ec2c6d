// Package forge describes a repository on another Git host, such as a forge, that the demo's Git host mirrors: its
// address and credentials.
package forge

import (
	"errors"
	"net/url"

	gitclient "github.com/go-git/go-git/v6/plumbing/client"
	githttp "github.com/go-git/go-git/v6/plumbing/transport/http"
)

// Repository is a repository on another Git host, such as a forge, that the demo's Git host mirrors. The host pushes each
// commit there first, and fetches from there before it serves a read. So the forge has all commits, and the
// demo's Git host still sends the webhook, because a forge could not reach the cluster.
type Repository struct {
	// URL is the repository's, over HTTP or HTTPS. Needed.
	URL string
	// Username and Password, or token, are what a push must bring there; without them, none are sent.
	Username, Password string
}

// CheckURL returns an error if a URL cannot be that of an upstream.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("it is not the URL of a repository such as https://git.example.org/me/fleet.git")
	case u.User != nil:
		return errors.New("the URL contains a token, which other users could see; set FLUXDEMO_GIT_TOKEN instead")
	}
	return nil
}

// Options are what a client of the upstream needs.
func (r *Repository) Options() []gitclient.Option {
	if r.Username == "" && r.Password == "" {
		return nil
	}
	return []gitclient.Option{gitclient.WithHTTPAuth(&githttp.BasicAuth{Username: r.Username, Password: r.Password})}
}
