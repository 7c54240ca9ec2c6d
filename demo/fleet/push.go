package fleet

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
	githttp "github.com/go-git/go-git/v6/plumbing/transport/http"
	"github.com/go-git/go-git/v6/storage/memory"
)

const defaultBranch = "main"

// PushBranch makes content, as a single commit, what a branch of the repository at url is, and returns that commit.
func PushBranch(ctx context.Context, url, username, password, branch string, content fs.FS, message string) (string, error) {
	spec := config.RefSpec("+" + plumbing.NewBranchReferenceName(defaultBranch) + ":" + plumbing.NewBranchReferenceName(branch))
	return pushCommit(ctx, url, username, password, content, message, spec)
}

// pushCommit pushes content as a single commit, which is on the default branch here, as spec says.
func pushCommit(ctx context.Context, url, username, password string, content fs.FS, message string, spec config.RefSpec) (string, error) {
	repository, err := commitOf(content, message)
	if err != nil {
		return "", fmt.Errorf("creating a commit: %w", err)
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
		ClientOptions: login(username, password),
	})
	if err != nil && !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return fmt.Errorf("pushing to %s: %w", remote.Config().URLs[0], err)
	}
	return nil
}

// login is what a client needs to say who it is; nothing without a name.
func login(username, password string) []gitclient.Option {
	if username == "" {
		return nil
	}
	return []gitclient.Option{gitclient.WithHTTPAuth(&githttp.BasicAuth{Username: username, Password: password})}
}

// commitOf returns a repository in memory whose only commit is content.
func commitOf(content fs.FS, message string) (*git.Repository, error) {
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
	who := &object.Signature{Name: Author, Email: AuthorEmail, When: time.Now()}
	_, err = work.Commit(message, &git.CommitOptions{Author: who, Committer: who})
	return repository, err
}
