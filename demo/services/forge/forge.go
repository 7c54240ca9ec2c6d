// Package forge describes a repository on another Git host, such as a forge, that the demo's Git host mirrors. It holds
// its address and credentials, for the server and for those who look into it beforehand.
package forge

import (
	"errors"
	"net/url"

	gitclient "github.com/go-git/go-git/v6/plumbing/client"
	githttp "github.com/go-git/go-git/v6/plumbing/transport/http"
)

// Repository is a repository on another Git host, such as a forge, that the demo's Git host is a front of: what
// is pushed to the host goes there first, and what is read from it was fetched from there. So the commits are on the forge for
// everybody to see, and the webhook still comes from here, where a forge could not reach the cluster.
type Repository struct {
	// URL is the repository's, over HTTP or HTTPS. Needed.
	URL string
	// Username and Password, or token, are what a push must bring there; without them, none are sent.
	Username, Password string
}

// CheckURL tells what is wrong with the URL of an upstream.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return errors.New("it is no URL of a repository, such as https://git.example.org/me/fleet.git")
	case u.User != nil:
		return errors.New("a token does not belong into the URL, where everybody sees it")
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
