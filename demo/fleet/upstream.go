package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/transport"
	"github.com/go-git/go-git/v6/storage/memory"

	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// CheckUpstream returns an error if the repository on a forge cannot be read, or has a branch main of which not all was
// begun by a demo: the demo moves that branch by force. Whether a demo did, its first commits say: their author, their
// message and their files. known means that this cluster follows the repository already, whatever has become of it.
func CheckUpstream(ctx context.Context, u *forge.Repository, known bool) error {
	fail := func(err error) error {
		return fmt.Errorf("%s cannot be used: %s", u.URL, strings.Join(strings.Fields(err.Error()), " ")) // answers may have many lines
	}
	if err := forge.CheckURL(u.URL); err != nil {
		return fail(err)
	}
	store := memory.NewStorage()
	main := plumbing.NewBranchReferenceName(defaultBranch)
	err := git.NewRemote(store, &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{u.URL}}).FetchContext(ctx, &git.FetchOptions{
		RefSpecs: []config.RefSpec{config.RefSpec("+" + main + ":" + main)}, ClientOptions: u.Options(), Tags: plumbing.NoTags,
	})
	switch {
	case errors.Is(err, transport.ErrEmptyRemoteRepository), errors.Is(err, git.ErrRemoteRefNotFound):
		return nil // to be filled
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return fail(fmt.Errorf("%w; set FLUXDEMO_GIT_TOKEN to a token that may push to it", err))
	case err != nil:
		return fail(err)
	case known:
		return nil
	}
	ref, err := store.Reference(main)
	if err != nil {
		return fail(err)
	}
	switch _, others, err := FindBeginning(store, ref.Hash()); {
	case errors.Is(err, ErrNoBeginning), err == nil && others > 0:
		return fail(errors.New("fluxdemo did not create its branch main and would force-push over it; create an empty repository"))
	case err != nil:
		return fail(err)
	}
	return nil
}
