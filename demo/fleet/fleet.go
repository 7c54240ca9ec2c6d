// Package fleet reads and changes the demo's Git repository: it returns the head of its branch, and restores an earlier
// commit. A copy on this machine keeps every commit that it has seen, so that a commit can be restored even after a
// force push.
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
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/plumbing/transport"

	"github.com/fluxdemo/fluxdemo/demo/services/gitapi"
)

// Branch is the branch that the demo's cluster follows.
const Branch = plumbing.ReferenceName("refs/heads/main")

// ErrNoBranch says that the repository has no branch for the cluster to follow.
var ErrNoBranch = fmt.Errorf("the branch %s is missing", Branch.Short())

// target is the name of the commit to bring the branch to, in the copy.
const target = plumbing.ReferenceName("refs/heads/restore")

// Repository is the demo's repository. It is used by one goroutine at a time.
type Repository struct {
	URL            string // for clone and push
	User, Password string // for push, and for reading if the Git host mirrors a forge
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
	copied := r.open()
	defer copied.close()
	remote := r.remote(copied)
	refs, err := remote.ListContext(ctx, &git.ListOptions{ClientOptions: login(r.User, r.Password)})
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return "", fmt.Errorf("reading %s: %w", r.URL, err)
	}
	for _, ref := range refs {
		if ref.Name() != Branch {
			continue
		}
		if copied.has(ref.Hash()) {
			return ref.Hash().String(), nil
		}
		err := remote.FetchContext(ctx, &git.FetchOptions{
			RefSpecs: []config.RefSpec{"+" + config.RefSpec(Branch) + ":" + config.RefSpec(Branch)},
			Tags:     plumbing.NoTags, ClientOptions: login(r.User, r.Password),
		})
		if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
			return "", fmt.Errorf("fetching %s: %w", r.URL, err)
		}
		return ref.Hash().String(), copied.remember(ref.Hash())
	}
	return "", fmt.Errorf("reading %s: %w; `fluxdemo up` repairs it", r.URL, ErrNoBranch)
}

// Contains reports whether the branch has a commit, at its head or before. The commit is one that Head returned at any time
// before; of any other it is not known, and the answer is no.
func (r *Repository) Contains(ctx context.Context, commit string) (bool, error) {
	head, err := r.Head(ctx)
	if errors.Is(err, ErrNoBranch) {
		return false, nil
	}
	if err != nil || head == commit {
		return err == nil, err
	}
	copied := r.open()
	defer copied.close()
	if !copied.has(plumbing.NewHash(commit)) {
		return false, nil
	}
	earlier, err := object.GetCommit(copied, plumbing.NewHash(commit))
	if err != nil {
		return false, fmt.Errorf("reading commit %s: %w", commit, err)
	}
	latest, err := object.GetCommit(copied, plumbing.NewHash(head))
	if err != nil {
		return false, fmt.Errorf("reading commit %s: %w", head, err)
	}
	kept, err := earlier.IsAncestor(latest)
	if err != nil {
		return false, fmt.Errorf("reading the history of %s: %w", r.URL, err)
	}
	return kept, nil
}

// Restore moves the branch to a commit, as Move does, and waits until the cluster has it, as Await does.
func (r *Repository) Restore(ctx context.Context, commit string, before map[string]string) error {
	if err := r.Move(ctx, commit); err != nil {
		return err
	}
	return r.Await(ctx, commit, before)
}

// Await waits until the cluster has a commit. before is what States returned earlier; see Followers.Applied.
func (r *Repository) Await(ctx context.Context, commit string, before map[string]string) error {
	if r.Followers == nil {
		return nil
	}
	return r.Followers.Applied(ctx, commit, before)
}

// Move moves the branch to a commit that Head returned at any time before, whatever is on it now.
func (r *Repository) Move(ctx context.Context, commit string) error {
	copied := r.open()
	defer copied.close()
	hash := plumbing.NewHash(commit)
	if !copied.has(hash) {
		return fmt.Errorf("restoring %s to %s: the copy in %s does not have it", r.URL, commit, r.Copy)
	}
	if err := copied.SetReference(plumbing.NewHashReference(target, hash)); err != nil {
		return fmt.Errorf("restoring %s to %s: %w", r.URL, commit, err)
	}
	push := &git.PushOptions{RefSpecs: []config.RefSpec{"+" + config.RefSpec(target) + ":" + config.RefSpec(Branch)}}
	// A walk may return to a commit from before a reset; for others, the Git host asks for this option.
	push.Options = []string{gitapi.Restore}
	push.ClientOptions = login(r.User, r.Password)
	if err := r.remote(copied).PushContext(ctx, push); err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return fmt.Errorf("restoring %s to %s: %w", r.URL, commit, err)
	}
	return nil
}

// States returns why each of the Followers is not ready, by its name; "" for one that is.
func (r *Repository) States(ctx context.Context) (map[string]string, error) {
	if r.Followers == nil {
		return map[string]string{}, nil
	}
	return r.Followers.States(ctx)
}

// remote returns the repository as a remote of the copy, at the URL of today: a cluster that comes up again may have
// another port.
func (r *Repository) remote(copied *mirror) *git.Remote {
	return git.NewRemote(copied, &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{r.URL}})
}
