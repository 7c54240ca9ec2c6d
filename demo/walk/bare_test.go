package walk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters/environ"
)

// git runs git in dir and returns its output.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = gitEnv()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// gitEnv is the whole environment of git: a GIT_DIR of the tester's would lead it to another repository.
func gitEnv() []string {
	return environ.Base(os.Environ()).Join([]string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
	})
}

// bare is a Git host's repository in a folder, moved with the git command.
type bare string

// newBare returns one with a commit, which it copies: it takes git five processes to make that.
func newBare(t *testing.T) bare {
	t.Helper()
	from, err := bareTemplate()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fleet.git")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return bare(dir)
}

// bareTemplate makes, once, what newBare copies.
var bareTemplate = sync.OnceValues(func() (string, error) {
	top, err := os.MkdirTemp("", "walk-test")
	if err != nil {
		return "", err
	}
	dir, clone := filepath.Join(top, "fleet.git"), filepath.Join(top, "clone")
	if err := errors.Join(os.Mkdir(clone, 0o700), os.WriteFile(filepath.Join(clone, "colour"), []byte("grey\n"), 0o600)); err != nil {
		return dir, err
	}
	for _, args := range [][]string{
		{"init", "-q", "--bare", "-b", "main", dir}, {"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-q", "-m", "first"}, {"push", "-q", dir, "main"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = clone, gitEnv()
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("git %v: %w: %s", args, err, out)
		}
	}
	return dir, nil
})

func (b bare) Head(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "git", "-C", string(b), "rev-parse", "main")
	cmd.Env = gitEnv()
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func (b bare) Contains(ctx context.Context, commit string) (bool, error) {
	cmd := exec.CommandContext(ctx, "git", "-C", string(b), "merge-base", "--is-ancestor", commit, "main")
	cmd.Env = gitEnv()
	err := cmd.Run()
	if exit, is := errors.AsType[*exec.ExitError](err); is && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

func (bare) States(context.Context) (map[string]string, error) { return map[string]string{}, nil }

func (b bare) Await(context.Context, string, map[string]string) error { return nil }

func (b bare) Move(ctx context.Context, commit string) error {
	cmd := exec.CommandContext(ctx, "git", "-C", string(b), "update-ref", "refs/heads/main", commit)
	cmd.Env = gitEnv()
	return cmd.Run()
}
