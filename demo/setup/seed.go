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
)

const branch = "main"

// seed pushes content as the first commit to the repository at url, unless
// there is one.
func seed(ctx context.Context, url, username, password string, content fs.FS) error {
	remote := git.NewRemote(memory.NewStorage(), &config.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{url}})
	refs, err := remote.ListContext(ctx, &git.ListOptions{})
	if err != nil && !errors.Is(err, transport.ErrEmptyRemoteRepository) {
		return fmt.Errorf("looking into %s: %w", url, err)
	}
	for _, ref := range refs {
		if ref.Name() == plumbing.NewBranchReferenceName(branch) {
			return nil
		}
	}
	repository, err := commit(content)
	if err != nil {
		return fmt.Errorf("making the first commit: %w", err)
	}
	if _, err := repository.CreateRemote(remote.Config()); err != nil {
		return err
	}
	ref := plumbing.NewBranchReferenceName(branch)
	if err := repository.PushContext(ctx, &git.PushOptions{
		RefSpecs:      []config.RefSpec{config.RefSpec(ref + ":" + ref)},
		ClientOptions: []gitclient.Option{gitclient.WithHTTPAuth(&githttp.BasicAuth{Username: username, Password: password})},
	}); err != nil {
		return fmt.Errorf("pushing to %s: %w", url, err)
	}
	return nil
}

// commit returns a repository in memory whose only commit is content.
func commit(content fs.FS) (*git.Repository, error) {
	tree := memfs.New()
	repository, err := git.Init(memory.NewStorage(), git.WithWorkTree(tree),
		git.WithDefaultBranch(plumbing.NewBranchReferenceName(branch)))
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
	who := &object.Signature{Name: "fluxdemo", Email: "fluxdemo@localhost", When: time.Now()}
	_, err = work.Commit("The demo's fleet", &git.CommitOptions{Author: who, Committer: who})
	return repository, err
}
