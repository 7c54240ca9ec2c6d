// Package fleet moves the demo's Git repository: it tells the head of its branch, and brings the branch back to an
// earlier commit. A copy on this machine keeps every commit it has seen, so that the way back is there even after
// the branch was forced elsewhere.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing"
	gitclient "github.com/go-git/go-git/v6/plumbing/client"
	"github.com/go-git/go-git/v6/plumbing/transport"
	githttp "github.com/go-git/go-git/v6/plumbing/transport/http"
)

// Branch is the branch that the demo's cluster follows.
const Branch = plumbing.ReferenceName("refs/heads/main")

// ErrNoBranch says that the repository has no branch for the cluster to follow.
var ErrNoBranch = fmt.Errorf("there is no branch %s", Branch.Short())

// target is the name of the commit to bring the branch to, in the copy.
const target = plumbing.ReferenceName("refs/heads/restore")

// Repository is the demo's repository. It is used by one goroutine at a time.
type Repository struct {
	URL            string // for clone and push
	User, Password string // for push; reading needs none
	Copy           string // folder of the copy, which is made when it is not there
	// Followers are what the cluster applies from it; nil for none.
	Followers *Followers
}

// patience is how long the Git host may be away, as it is while it is started again after a crash.
const patience = 15 * time.Second

// Head returns the commit of the branch, and keeps it in the copy. A Git host that does not answer is asked again for a
// while: a server that is not there cannot be watched.
func (r *Repository) Head(ctx context.Context) (commit string, err error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		commit, err = r.head(ctx)
		if _, away := errors.AsType[net.Error](err); !away && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return commit, err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-limit.C:
			return "", err
		case <-tick.C:
		}
	}
}

func (r *Repository) head(ctx context.Context) (commit string, err error) {
	copied, err := r.open()
	if err != nil {
		return "", err
	}
	remote, err := copied.Remote(git.DefaultRemoteName)
	if err != nil {
		return "", fmt.Errorf("open the copy of the fleet in %s: %w", r.Copy, err)
	}
	refs, err := remote.ListContext(ctx, &git.ListOptions{})
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return "", fmt.Errorf("look into %s: %w", r.URL, err)
	}
	for _, ref := range refs {
		if ref.Name() != Branch {
			continue
		}
		if _, err := copied.CommitObject(ref.Hash()); err == nil {
			return ref.Hash().String(), nil
		}
		err := remote.FetchContext(ctx, &git.FetchOptions{
			RefSpecs: []config.RefSpec{"+" + config.RefSpec(Branch) + ":" + config.RefSpec(Branch)},
			Tags:     plumbing.NoTags,
		})
		if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
			return "", fmt.Errorf("fetch %s: %w", r.URL, err)
		}
		return ref.Hash().String(), nil
	}
	return "", fmt.Errorf("look into %s: %w; `fluxdemo up` repairs it", r.URL, ErrNoBranch)
}

// Restore moves the branch to a commit that Head returned at any time before, whatever is on it now, and waits until
// the cluster has it: but for what States has told at an earlier moment to be no reason to wait (see Followers.Applied).
func (r *Repository) Restore(ctx context.Context, commit string, before map[string]string) error {
	copied, err := r.open()
	if err != nil {
		return err
	}
	hash := plumbing.NewHash(commit)
	if _, err := copied.CommitObject(hash); err != nil {
		return fmt.Errorf("bring %s back to %s: the copy in %s does not have it: %w", r.URL, commit, r.Copy, err)
	}
	if err := copied.Storer.SetReference(plumbing.NewHashReference(target, hash)); err != nil {
		return fmt.Errorf("bring %s back to %s: %w", r.URL, commit, err)
	}
	push := &git.PushOptions{RefSpecs: []config.RefSpec{"+" + config.RefSpec(target) + ":" + config.RefSpec(Branch)}}
	if r.User != "" {
		push.ClientOptions = []gitclient.Option{gitclient.WithHTTPAuth(&githttp.BasicAuth{Username: r.User, Password: r.Password})}
	}
	if err := copied.PushContext(ctx, push); err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return fmt.Errorf("bring %s back to %s: %w", r.URL, commit, err)
	}
	if r.Followers == nil {
		return nil
	}
	return r.Followers.Applied(ctx, commit, before)
}

// States returns why each of the Followers is not ready, by its name; "" for one that is.
func (r *Repository) States(ctx context.Context) (map[string]string, error) {
	if r.Followers == nil {
		return map[string]string{}, nil
	}
	return r.Followers.States(ctx)
}

// open returns the copy, whose remote is the URL of today: a cluster that comes up again may have another port.
func (r *Repository) open() (*git.Repository, error) {
	copied, err := git.PlainOpen(r.Copy)
	if errors.Is(err, git.ErrRepositoryNotExists) {
		copied, err = git.PlainInit(r.Copy, true)
	}
	if err != nil {
		return nil, fmt.Errorf("open the copy of the fleet in %s: %w", r.Copy, err)
	}
	remote := &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{r.URL}}
	if now, err := copied.Remote(remote.Name); err == nil && len(now.Config().URLs) == 1 && now.Config().URLs[0] == r.URL {
		return copied, nil
	}
	_ = copied.DeleteRemote(remote.Name) // not there the first time
	if _, err := copied.CreateRemote(remote); err != nil {
		return nil, fmt.Errorf("open the copy of the fleet in %s: %w", r.Copy, err)
	}
	return copied, nil
}
