package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	gogit "github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing"
	"github.com/go-git/go-git/v6/plumbing/protocol/packp"
	"github.com/go-git/go-git/v6/plumbing/transport"
	"github.com/go-git/go-git/v6/storage/filesystem"

	"github.com/fluxdemo/fluxdemo/demo/services/forge"
)

// upstreamTimeout is how long the upstream may take for one fetch or push.
const upstreamTimeout = 30 * time.Second

func remote(u *forge.Repository, st *filesystem.Storage) *gogit.Remote {
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
		return nil, fmt.Errorf("look into %s: %w", r.upstream.URL, err)
	}
	if maps.EqualFunc(before, there, plumbing.Hash.Equal) {
		return nil, nil
	}
	err = remote(r.upstream, st).FetchContext(ctx, &gogit.FetchOptions{
		RefSpecs: []config.RefSpec{"+refs/heads/*:refs/upstream/*"}, ClientOptions: r.upstream.Options(), Tags: plumbing.NoTags, Force: true,
	})
	if err != nil && !errors.Is(err, gogit.NoErrAlreadyUpToDate) && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return nil, fmt.Errorf("fetch from %s: %w", r.upstream.URL, err)
	}
	if err := r.dropTracking(st); err != nil {
		return nil, err
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

// dropTracking removes the references that a fetch has left, which would be shown to everybody.
func (r *repo) dropTracking(st *filesystem.Storage) error {
	tips, err := tipsOf(st)
	if err != nil {
		return err
	}
	for name := range tips {
		if strings.HasPrefix(name.String(), "refs/upstream/") {
			if err := r.removeRef(st, name); err != nil {
				return err
			}
		}
	}
	return nil
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
		// Also by force: what somebody has pushed there a moment ago is not lost.
		o.RequireRemoteRefs = []config.RefSpec{config.RefSpec(cmd.Old.String() + ":" + cmd.Name.String())}
	}
	err := remote(r.upstream, st).PushContext(ctx, &o)
	if err != nil && !errors.Is(err, gogit.NoErrAlreadyUpToDate) {
		return fmt.Errorf("not taken by %s: %w", r.upstream.URL, err)
	}
	return nil
}
