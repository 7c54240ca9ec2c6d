package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/transport"
	"github.com/go-git/go-git/v6/storage/memory"
)

// Host is a repository that Seed may read and push to.
type Host struct {
	URL, Username, Password string
	Forge                   bool // the demo's Git host mirrors a repository of the user, which may hold a real fleet
}

// Seed makes sure that the repository has a branch for Flux to follow, and that file keeps the commit with which the
// demo has begun it, which seed returns. In an empty repository that is content. It is kept before it is pushed: after
// a crash between the two, exactly that is pushed. In one with a branch and without the file, as an earlier version or
// another demo has left it, the commit is looked for in the history.
func Seed(ctx context.Context, host Host, content fs.FS, file string) (*Beginning, error) {
	kept, err := ReadBeginning(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{host.URL}})
	refs, err := remote.ListContext(ctx, &git.ListOptions{ClientOptions: login(host.Username, host.Password)})
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return nil, fmt.Errorf("reading %s: %w", host.URL, err)
	}
	for _, ref := range refs {
		if ref.Name() != Branch {
			continue
		}
		if kept != nil {
			return kept, nil
		}
		b, err := findAndKeep(ctx, remote, host, ref.Hash(), file)
		switch {
		case errors.Is(err, ErrNoBeginning) && host.Forge:
			return nil, fmt.Errorf("reading %s: %w; fluxdemo would force-push over it: run `fluxdemo down`, then `fluxdemo up` with an empty repository", host.URL, err)
		case errors.Is(err, ErrNoBeginning):
			return keep(content, file) // its history was rewritten; this is what this version would begin with
		}
		return b, err
	}
	if kept == nil {
		if kept, err = keep(content, file); err != nil {
			return nil, err
		}
	}
	repository, err := kept.Repository()
	if err != nil {
		return nil, fmt.Errorf("preparing the first push: %w", err)
	}
	remote, err = repository.CreateRemote(&config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{host.URL}})
	if err != nil {
		return nil, fmt.Errorf("preparing the first push: %w", err)
	}
	return kept, push(ctx, remote, host.Username, host.Password, config.RefSpec(Branch+":"+Branch))
}

// findAndKeep keeps the commit with which a demo has begun the history of head.
func findAndKeep(ctx context.Context, remote *git.Remote, host Host, head plumbing.Hash, file string) (*Beginning, error) {
	store := memory.NewStorage()
	err := git.NewRemote(store, remote.Config()).FetchContext(ctx, &git.FetchOptions{
		RefSpecs: []config.RefSpec{"+" + config.RefSpec(Branch) + ":" + config.RefSpec(Branch)}, Tags: plumbing.NoTags,
		ClientOptions: login(host.Username, host.Password),
	})
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", remote.Config().URLs[0], err)
	}
	b, _, err := FindBeginning(store, head)
	if err != nil {
		return nil, err
	}
	return b, b.Keep(file)
}

// keep makes content a commit, and keeps it in file.
func keep(content fs.FS, file string) (*Beginning, error) {
	repository, err := commitOf(content, BeginningMessage)
	if err != nil {
		return nil, fmt.Errorf("making the first commit: %w", err)
	}
	head, err := repository.Head()
	if err != nil {
		return nil, fmt.Errorf("making the first commit: %w", err)
	}
	b, err := NewBeginning(repository.Storer, head.Hash())
	if err != nil {
		return nil, fmt.Errorf("making the first commit: %w", err)
	}
	return b, b.Keep(file)
}
