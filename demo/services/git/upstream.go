package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	gogit "github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp"
	"github.com/go-git/go-git/v6/plumbing/transport"
	"github.com/go-git/go-git/v6/storage"
	"github.com/go-git/go-git/v6/storage/filesystem"

	"github.com/fluxdemo/fluxdemo/demo/gitstore"
	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// upstreamTimeout is how long the upstream may take for one fetch or push.
const upstreamTimeout = 30 * time.Second

func remote(u *forge.Repository, st storage.Storer) *gogit.Remote {
	return gogit.NewRemote(st, &config.RemoteConfig{Name: gogit.DefaultRemoteName, URLs: []string{u.URL}})
}

// branches returns those of the upstream.
func branches(ctx context.Context, u *forge.Repository, st *filesystem.Storage) (map[plumbing.ReferenceName]plumbing.Hash, error) {
	refs, err := remote(u, st).ListContext(ctx, &gogit.ListOptions{ClientOptions: u.Options()})
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return nil, err
	}
	all := map[plumbing.ReferenceName]plumbing.Hash{}
	for _, ref := range refs {
		if ref.Type() == plumbing.HashReference && ref.Name().IsBranch() {
			all[ref.Name()] = ref.Hash()
		}
	}
	return all, nil
}

// follow makes the repository a front of u. Earlier versions noted in refs/upstream what they fetched, and a crash could
// leave an empty file there, which makes all references unreadable.
func (r *repo) follow(u *forge.Repository) error {
	r.upstream = u
	if u == nil {
		return nil // what is in refs/upstream then is not ours
	}
	if err := os.RemoveAll(filepath.Join(r.dir, "refs", "upstream")); err != nil {
		return fmt.Errorf("removing what an earlier fetch from %s has left: %w (remove it by hand)", u.URL, err)
	}
	return nil
}

// fetch makes the branches here those of the upstream, and returns what has changed by that.
func (r *repo) fetch(ctx context.Context) (changes []refUpdate, err error) {
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	st := r.open()
	defer closeStorage(st)
	r.refs.Lock()
	defer r.refs.Unlock()
	before, err := tipsOf(st)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(before, func(name plumbing.ReferenceName, _ plumbing.Hash) bool { return !name.IsBranch() })
	there, err := branches(ctx, r.upstream, st)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.upstream.URL, err)
	}
	if maps.EqualFunc(before, there, plumbing.Hash.Equal) {
		return nil, nil
	}
	// What the fetch notes stays in memory: clients must not see it, and a crash must not leave half of it.
	client := gitstore.NewClient(st)
	for name, h := range before {
		client.ReferenceStorage[name] = plumbing.NewHashReference(name, h)
	}
	err = remote(r.upstream, client).FetchContext(ctx, &gogit.FetchOptions{
		RefSpecs: []config.RefSpec{"+refs/heads/*:refs/upstream/*"}, ClientOptions: r.upstream.Options(), Tags: plumbing.NoTags, Force: true,
	})
	if err != nil && !errors.Is(err, gogit.NoErrAlreadyUpToDate) && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return nil, fmt.Errorf("fetching from %s: %w", r.upstream.URL, err)
	}
	for name, h := range there {
		if !before[name].Equal(h) {
			if err := r.setRef(name, h); err != nil {
				return changes, err
			}
			changes = append(changes, refUpdate{Ref: name, Before: before[name], After: h})
		}
	}
	for name, h := range before {
		if _, ok := there[name]; !ok {
			if err := r.removeRef(st, name); err != nil {
				return changes, err
			}
			changes = append(changes, refUpdate{Ref: name, Before: h})
		}
	}
	return changes, nil
}

// forward has the upstream do what a push asks for. The caller holds r.refs.
func (r *repo) forward(ctx context.Context, st *filesystem.Storage, cmd *packp.Command) error {
	ctx, cancel := context.WithTimeout(ctx, upstreamTimeout)
	defer cancel()
	spec := config.RefSpec(cmd.New.String() + ":" + cmd.Name.String())
	switch {
	case cmd.Action() == packp.Delete:
		spec = config.RefSpec(":" + cmd.Name.String())
	case cmd.Action() == packp.Update && !ancestor(st, cmd.Old, cmd.New):
		spec = "+" + spec
	}
	o := gogit.PushOptions{RefSpecs: []config.RefSpec{spec}, ClientOptions: r.upstream.Options()}
	if cmd.Action() != packp.Create {
		// Also for a forced push: it must not drop a commit that was pushed there just before.
		o.RequireRemoteRefs = []config.RefSpec{config.RefSpec(cmd.Old.String() + ":" + cmd.Name.String())}
	}
	err := remote(r.upstream, st).PushContext(ctx, &o)
	if err != nil && !errors.Is(err, gogit.NoErrAlreadyUpToDate) {
		return fmt.Errorf("rejected by %s: %w", r.upstream.URL, err)
	}
	return nil
}
