package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing"
	gitclient "github.com/go-git/go-git/v6/plumbing/client"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/plumbing/transport"
	githttp "github.com/go-git/go-git/v6/plumbing/transport/http"
	"github.com/go-git/go-git/v6/storage/memory"

	githost "github.com/fluxdemo/fluxdemo/demo/services/git"
	"github.com/fluxdemo/fluxdemo/manifests"
)

// Upstream is a repository of the user's own on another Git host, such as a forge, which the audience can look at.
// Flux follows it; the demo's Git host stands before it, so that its webhook reaches the cluster.
type Upstream struct {
	URL string // over HTTP or HTTPS
	// Username and Password, or token, that may push there.
	Username, Password string
}

// Keys of the Git host's Secret.
const (
	upstreamURL      = "upstream-url"
	upstreamUsername = "upstream-username"
	upstreamPassword = "upstream-password"
)

// upstreamSecret is what Flux reads the password from.
const upstreamSecret = "git-upstream"

// sourceIn is what Flux follows, as the Git host's Secret says.
func sourceIn(host map[string]string) manifests.Source {
	source := manifests.Source{URL: host[upstreamURL]}
	if host[upstreamPassword] != "" {
		source.Secret = upstreamSecret
	}
	return source
}

// Check returns an error if the repository cannot be read, or has a branch main that a
// demo did not begin: the demo moves that branch by force.
func (u Upstream) Check(ctx context.Context) error {
	fail := func(err error) error {
		return fmt.Errorf("%s cannot be used: %s", u.URL, strings.Join(strings.Fields(err.Error()), " ")) // answers may have many lines
	}
	if err := githost.CheckUpstreamURL(u.URL); err != nil {
		return fail(err)
	}
	var options []gitclient.Option
	if u.Password != "" {
		options = append(options, gitclient.WithHTTPAuth(&githttp.BasicAuth{Username: u.Username, Password: u.Password}))
	}
	store := memory.NewStorage()
	main := plumbing.NewBranchReferenceName(branch)
	err := git.NewRemote(store, &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{u.URL}}).FetchContext(ctx, &git.FetchOptions{
		RefSpecs: []config.RefSpec{config.RefSpec("+" + main + ":" + main)}, ClientOptions: options, Tags: plumbing.NoTags,
	})
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository), errors.Is(err, git.ErrRemoteRefNotFound):
		return nil // to be filled
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return fail(fmt.Errorf("%w; put a token that may push there into FLUXDEMO_GIT_TOKEN", err))
	case err != nil:
		return fail(err)
	}
	ref, err := store.Reference(main)
	if err != nil {
		return fail(err)
	}
	commit, err := object.GetCommit(store, ref.Hash())
	for err == nil && commit.NumParents() > 0 {
		commit, err = commit.Parent(0)
	}
	if err != nil {
		return fail(err)
	}
	if _, err := commit.File("clusters/demo/flux-system/gotk-sync.yaml"); err != nil {
		return fail(errors.New("its branch main was not begun by a demo, which would move it by force; make an empty repository"))
	}
	return nil
}
