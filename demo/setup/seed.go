package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-git/go-billy/v6/memfs"
	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing"
	gitclient "github.com/go-git/go-git/v6/plumbing/client"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/plumbing/transport"
	githttp "github.com/go-git/go-git/v6/plumbing/transport/http"
	"github.com/go-git/go-git/v6/storage/memory"

	"github.com/fluxdemo/fluxdemo/demo/fleet"
)

const defaultBranch = "main"

// gitHost is a repository that setup may push to.
type gitHost struct {
	url, username, password string
	forge                   bool // what is behind it is not the demo's own, and may be somebody's real fleet
}

// seed makes sure that the repository has a branch for Flux to follow, and that file keeps the commit with which the
// demo has begun it, which seed returns. In an empty repository that is content. It is kept before it is pushed: after
// a crash between the two, exactly that is pushed. In one with a branch and without the file, as an earlier version or
// another demo has left it, the commit is looked for in the history.
func seed(ctx context.Context, host gitHost, content fs.FS, file string) (*fleet.Beginning, error) {
	kept, err := fleet.ReadBeginning(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{host.url}})
	refs, err := remote.ListContext(ctx, &git.ListOptions{})
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return nil, fmt.Errorf("looking into %s: %w", host.url, err)
	}
	for _, ref := range refs {
		if ref.Name() != fleet.Branch {
			continue
		}
		if kept != nil {
			return kept, nil
		}
		b, err := begun(ctx, remote, ref.Hash(), file)
		switch {
		case errors.Is(err, fleet.ErrNoBeginning) && host.forge:
			return nil, fmt.Errorf("looking into %s: %w, which a demo would move by force; `fluxdemo down`, then `up` with an empty repository", host.url, err)
		case errors.Is(err, fleet.ErrNoBeginning):
			return keep(content, file) // somebody has rewritten it; this is what this version would begin with
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
	remote, err = repository.CreateRemote(&config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{host.url}})
	if err != nil {
		return nil, fmt.Errorf("preparing the first push: %w", err)
	}
	return kept, push(ctx, remote, host.username, host.password, config.RefSpec(fleet.Branch+":"+fleet.Branch))
}

// begun keeps the commit with which a demo has begun the history of head.
func begun(ctx context.Context, remote *git.Remote, head plumbing.Hash, file string) (*fleet.Beginning, error) {
	store := memory.NewStorage()
	err := git.NewRemote(store, remote.Config()).FetchContext(ctx, &git.FetchOptions{
		RefSpecs: []config.RefSpec{"+" + config.RefSpec(fleet.Branch) + ":" + config.RefSpec(fleet.Branch)}, Tags: plumbing.NoTags,
	})
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", remote.Config().URLs[0], err)
	}
	b, _, err := fleet.FindBeginning(store, head)
	if err != nil {
		return nil, err
	}
	return b, b.Keep(file)
}

// keep makes content a commit, and keeps it in file.
func keep(content fs.FS, file string) (*fleet.Beginning, error) {
	repository, err := commit(content, fleet.BeginningMessage)
	if err != nil {
		return nil, fmt.Errorf("making the first commit: %w", err)
	}
	head, err := repository.Head()
	if err != nil {
		return nil, fmt.Errorf("making the first commit: %w", err)
	}
	b, err := fleet.NewBeginning(repository.Storer, head.Hash())
	if err != nil {
		return nil, fmt.Errorf("making the first commit: %w", err)
	}
	return b, b.Keep(file)
}

// PushBranch makes content, as a single commit, what a branch of the repository at url is, and returns that commit.
func PushBranch(ctx context.Context, url, username, password, branch string, content fs.FS, message string) (string, error) {
	spec := config.RefSpec("+" + plumbing.NewBranchReferenceName(defaultBranch) + ":" + plumbing.NewBranchReferenceName(branch))
	return pushCommit(ctx, url, username, password, content, message, spec)
}

// pushCommit pushes content as a single commit, which is on the default branch here, as spec says.
func pushCommit(ctx context.Context, url, username, password string, content fs.FS, message string, spec config.RefSpec) (string, error) {
	repository, err := commit(content, message)
	if err != nil {
		return "", fmt.Errorf("making a commit: %w", err)
	}
	head, err := repository.Head()
	if err != nil {
		return "", err
	}
	remote, err := repository.CreateRemote(&config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{url}})
	if err != nil {
		return "", err
	}
	return head.Hash().String(), push(ctx, remote, username, password, spec)
}

// DeleteBranch deletes a branch of the repository at url, if it is there.
func DeleteBranch(ctx context.Context, url, username, password, branch string) error {
	remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{url}})
	return push(ctx, remote, username, password, config.RefSpec(":"+plumbing.NewBranchReferenceName(branch)))
}

func push(ctx context.Context, remote *git.Remote, username, password string, spec config.RefSpec) error {
	err := remote.PushContext(ctx, &git.PushOptions{
		RefSpecs:      []config.RefSpec{spec},
		ClientOptions: []gitclient.Option{gitclient.WithHTTPAuth(&githttp.BasicAuth{Username: username, Password: password})},
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return fmt.Errorf("pushing to %s: %w", remote.Config().URLs[0], err)
	}
	return nil
}

// commit returns a repository in memory whose only commit is content.
func commit(content fs.FS, message string) (*git.Repository, error) {
	tree := memfs.New()
	repository, err := git.Init(memory.NewStorage(), git.WithWorkTree(tree),
		git.WithDefaultBranch(plumbing.NewBranchReferenceName(defaultBranch)))
	if err != nil {
		return nil, err
	}
	work, err := repository.Worktree()
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(content, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(content, path)
		if err != nil {
			return err
		}
		file, err := tree.Create(path)
		if err != nil {
			return err
		}
		if _, err := file.Write(raw); err != nil {
			file.Close()
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		_, err = work.Add(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	who := &object.Signature{Name: fleet.Author, Email: fleet.AuthorEmail, When: time.Now()}
	_, err = work.Commit(message, &git.CommitOptions{Author: who, Committer: who})
	return repository, err
}
