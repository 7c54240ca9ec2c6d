package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-git/go-billy/v6"
	"github.com/go-git/go-billy/v6/memfs"
	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	gitclient "github.com/go-git/go-git/v6/plumbing/client"
	"github.com/go-git/go-git/v6/plumbing/object"
	githttp "github.com/go-git/go-git/v6/plumbing/transport/http"
	"github.com/go-git/go-git/v6/storage/memory"
)

// pushes is how often a push is retried when another one was faster.
const pushes = 5

// Change commits what edit makes of the branch's files, pushes that, and returns the commit. If edit changes nothing,
// it returns the commit at the head. If the branch has new commits meanwhile, it starts again, and calls edit again.
func (r *Repository) Change(ctx context.Context, message string, edit func(files billy.Filesystem) error) (commit string, err error) {
	for range pushes {
		commit, err = r.change(ctx, message, edit)
		if err == nil || !errors.Is(err, git.ErrNonFastForwardUpdate) && !strings.Contains(err.Error(), "fetch first") {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("changing %s: %w", r.URL, err)
	}
	return commit, nil
}

func (r *Repository) change(ctx context.Context, message string, edit func(files billy.Filesystem) error) (string, error) {
	files := memfs.New()
	clone, err := git.CloneContext(ctx, memory.NewStorage(), files, &git.CloneOptions{URL: r.URL, ReferenceName: Branch, SingleBranch: true, Tags: 0})
	if err != nil {
		return "", err
	}
	if err := edit(files); err != nil {
		return "", err
	}
	tree, err := clone.Worktree()
	if err != nil {
		return "", err
	}
	if err := tree.AddWithOptions(&git.AddOptions{All: true}); err != nil {
		return "", err
	}
	status, err := tree.Status()
	if err != nil {
		return "", err
	}
	if status.IsClean() {
		head, err := clone.Head()
		if err != nil {
			return "", err
		}
		return head.Hash().String(), nil
	}
	who := &object.Signature{Name: Author, Email: AuthorEmail, When: time.Now()}
	commit, err := tree.Commit(message, &git.CommitOptions{Author: who, Committer: who})
	if err != nil {
		return "", err
	}
	return commit.String(), clone.PushContext(ctx, &git.PushOptions{
		RefSpecs:      []config.RefSpec{config.RefSpec(Branch + ":" + Branch)},
		ClientOptions: []gitclient.Option{gitclient.WithHTTPAuth(&githttp.BasicAuth{Username: r.User, Password: r.Password})},
	})
}
