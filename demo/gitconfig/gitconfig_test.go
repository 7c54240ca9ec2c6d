package gitconfig

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-git/go-billy/v6/memfs"
	"github.com/go-git/go-git/v6"
	"github.com/go-git/go-git/v6/config"
	"github.com/go-git/go-git/v6/plumbing/object"
	"github.com/go-git/go-git/v6/storage/memory"
)

// commit makes one in memory, as the demo does.
func commit(t *testing.T) error {
	t.Helper()
	files := memfs.New()
	repository, err := git.Init(memory.NewStorage(), git.WithWorkTree(files))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := repository.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	who := &object.Signature{Name: "fluxdemo", Email: "fluxdemo@localhost", When: time.Now()}
	_, err = tree.Commit("empty", &git.CommitOptions{Author: who, Committer: who, AllowEmptyCommits: true})
	return err
}

// scoped is the configuration that go-git works with.
func scoped(t *testing.T) *config.Config {
	t.Helper()
	repository, err := git.Init(memory.NewStorage())
	if err != nil {
		t.Fatal(err)
	}
	c, err := repository.ConfigScoped(config.SystemScope)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestIgnore signs no commit and follows no URL elsewhere, wherever the user's configuration says so. Without Ignore
// it would: that runs in a process of its own, as go-git takes a choice once.
func TestIgnore(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".gitconfig")
	hostile := "[commit]\n\tgpgSign = true\n[user]\n\tname = Me\n\temail = me@example.org\n[url \"http://elsewhere/\"]\n\tinsteadOf = http://127.0.0.1\n"
	for _, path := range []string{file, filepath.Join(home, "xdg", "git", "config"), filepath.Join(home, "system")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(hostile), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "xdg"))
	t.Setenv("GIT_CONFIG_NOSYSTEM", "0")
	t.Setenv("GIT_CONFIG_SYSTEM", filepath.Join(home, "system"))
	if os.Getenv(naive) != "" {
		if commit(t) == nil || scoped(t).User.Name != "Me" || Ignore() == nil {
			t.Error("the configuration does no harm, or Ignore does not say that it is too late")
		}
		return
	}
	if err := Ignore(); err != nil {
		t.Fatal(err)
	}
	for _, explicit := range []string{"", file} {
		if explicit != "" {
			t.Setenv("GIT_CONFIG_GLOBAL", explicit)
		}
		if err := commit(t); err != nil {
			t.Errorf("GIT_CONFIG_GLOBAL=%s: %v", explicit, err)
		}
		if c := scoped(t); c.Commit.GpgSign.IsTrue() || c.User.Name != "" || len(c.URLs) > 0 {
			t.Errorf("GIT_CONFIG_GLOBAL=%s: the user's configuration counts: %+v", explicit, c.User)
		}
	}
	t.Run("without", func(t *testing.T) { again(t) })
}

// naive is set in the process that does not call Ignore.
const naive = "GITCONFIG_TEST_NAIVE"

// again runs the test in a process that does not call Ignore.
func again(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestIgnore$")
	cmd.Env = append(os.Environ(), naive+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
