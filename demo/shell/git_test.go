package shell

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/clusters"
	"github.com/fluxdemo/fluxdemo/clusters/environ"
	gitserver "github.com/fluxdemo/fluxdemo/demo/services/git"
)

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// gitHost serves the repository in a folder, an empty one at first, and returns its URL.
func gitHost(t *testing.T, root string) string {
	t.Helper()
	server, err := gitserver.New(gitserver.Config{Root: root, Username: "demo", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	host := httptest.NewServer(server)
	t.Cleanup(func() { host.Close(); server.Close() })
	return host.URL + "/fleet.git"
}

// gitWith runs git with an environment that is given completely.
func gitWith(dir string, env []string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// hostileGit are configurations of a user, each of which stops a naive git
// from committing and pushing to the demo's repository, or sends it
// elsewhere. %URL% and %BASE% stand for the repository's, %HOME% for the
// user's home.
func hostileGit() map[string]string {
	return map[string]string{
		"gpg":           "[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = false\n",
		"push.gpgSign":  "[push]\n\tgpgSign = true\n",
		"hooks":         "[core]\n\thooksPath = %HOME%/hooks\n",
		"insteadOf":     "[url \"http://127.0.0.1:9/\"]\n\tinsteadOf = %BASE%/\n",
		"pushInsteadOf": "[url \"http://127.0.0.1:9/\"]\n\tpushInsteadOf = %BASE%/\n",
		"proxy":         "[http]\n\tproxy = http://127.0.0.1:9\n",
		"proxy of URL":  "[http \"%BASE%\"]\n\tproxy = http://127.0.0.1:9\n",
		"header":        "[http]\n\textraHeader = Authorization: Basic bm86bm8=\n",
		"protocol":      "[protocol]\n\tallow = never\n",
		"push.default":  "[push]\n\tdefault = nothing\n",
		"pushDefault":   "[remote]\n\tpushDefault = fork\n",
		"excludes":      "[core]\n\texcludesFile = %HOME%/excludes\n",
		"attributes":    "[core]\n\tattributesFile = %HOME%/attributes\n[filter \"no\"]\n\tclean = false\n\trequired = true\n",
		"safecrlf":      "[core]\n\tautocrlf = true\n\tsafecrlf = true\n",
		"credentials":   "[credential]\n\thelper = \"!echo username=no; echo password=no; :\"\n",
	}
}

// TestGitSettings commits and pushes under each hostile configuration: with
// the settings that env gives, in a clone that Clone has made, and, to show
// that there is something to beat, without both.
func TestGitSettings(t *testing.T) {
	root := t.TempDir()
	helperFile := filepath.Join(t.TempDir(), "it's a lögin")
	write(t, helperFile, "username=demo\npassword=secret\n")
	helper := helperFor(helperFile)
	commit := func(dir string, env []string) (string, error) {
		write(t, filepath.Join(dir, "file.env"), "one\ntwo\n"+dir)
		if out, err := gitWith(dir, env, "add", "file.env"); err != nil {
			return out, err
		}
		if out, err := gitWith(dir, env, "commit", "-q", "-m", "change"); err != nil {
			return out, err
		}
		return gitWith(dir, env, "push", "-q")
	}
	// The first commit, so that there is a branch to clone.
	home := t.TempDir()
	ordinary := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}
	first := filepath.Join(t.TempDir(), "first")
	if err := Clone(t.Context(), gitHost(t, root), first, helper, ordinary, os.Stderr); err != nil {
		t.Fatal(err)
	}
	if out, err := gitWith(first, ordinary, "checkout", "-q", "-b", "main"); err != nil {
		t.Fatal(out)
	}
	write(t, filepath.Join(first, "file.env"), "zero\n")
	for _, args := range [][]string{{"add", "."}, {"commit", "-q", "-m", "first"}, {"push", "-q", "origin", "main"}} {
		if out, err := gitWith(first, ordinary, args...); err != nil {
			t.Fatalf("%v: %s", args, out)
		}
	}
	for name, config := range hostileGit() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // so each has a host of its own
			dir := t.TempDir()
			if err := os.CopyFS(filepath.Join(dir, "repositories"), os.DirFS(root)); err != nil {
				t.Fatal(err)
			}
			url := gitHost(t, filepath.Join(dir, "repositories"))
			base := strings.TrimSuffix(url, "/fleet.git")
			settings, err := GitSettings(url, helper)
			if err != nil {
				t.Fatal(err)
			}
			home := filepath.Join(dir, "home")
			mkdir(t, filepath.Join(home, "hooks"))
			config := strings.NewReplacer("%URL%", url, "%BASE%", base, "%HOME%", home).Replace(config)
			config += "[user]\n\tname = Ada\n\temail = ada@example.org\n"
			write(t, filepath.Join(home, ".gitconfig"), config)
			write(t, filepath.Join(home, "excludes"), "*.env\n")
			write(t, filepath.Join(home, "attributes"), "*.env filter=no\n")
			write(t, filepath.Join(home, "hooks", "pre-push"), "#!/bin/sh\nexit 1\n")
			if err := os.Chmod(filepath.Join(home, "hooks", "pre-push"), 0o700); err != nil {
				t.Fatal(err)
			}
			user := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0"}

			naive := filepath.Join(dir, "naive")
			out, err := gitWith(dir, user, "clone", "-q", "-c", "credential.helper="+helper, url, naive)
			if err == nil {
				file := strings.ReplaceAll(name, " ", "-") + ".env" // a new one, which excludes hide
				write(t, filepath.Join(naive, file), "")
				if out, err = gitWith(naive, user, "add", file); err == nil {
					out, err = commit(naive, user)
				}
			}
			if err == nil {
				t.Errorf("not harmful: a naive git works: %s", out)
			}

			made := filepath.Join(dir, "made")
			if err := Clone(t.Context(), url, made, helper, user, os.Stderr); err != nil {
				t.Fatal(err)
			}
			if out, err := commit(made, user); err != nil {
				t.Errorf("in a clone of Clone's: %v: %s", err, out)
			}
			withEnv := environ.Environ(user).Join(pairs(configVariables(settings)))
			own := filepath.Join(dir, "own")
			if out, err := gitWith(dir, withEnv, "clone", "-q", url, own); err != nil {
				t.Fatalf("with env's settings: %v: %s", err, out)
			}
			if out, err := commit(own, withEnv); err != nil {
				t.Errorf("with env's settings: %v: %s", err, out)
			}
			if who, err := gitWith(own, withEnv, "log", "-1", "--format=%an"); err != nil || who != "Ada" {
				t.Errorf("the commit is by %q, %v", who, err)
			}
			if now, err := os.ReadFile(filepath.Join(home, ".gitconfig")); err != nil || string(now) != config {
				t.Errorf("~/.gitconfig has changed: %v\n%s", err, now)
			}
		})
	}
}

// TestCredentialHelper asks the helper as git does: it answers for the demo's
// URL, and stores nothing.
func TestCredentialHelper(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's a "földer"`)
	mkdir(t, dir)
	file := filepath.Join(dir, "git-login")
	write(t, file, "username=demo\npassword=secret\n")
	stored := filepath.Join(t.TempDir(), "stored")
	home := filepath.Join(dir, "home")
	mkdir(t, home)
	write(t, filepath.Join(home, ".gitconfig"), "[credential]\n\thelper = store --file="+stored+"\n")
	settings, err := GitSettings("http://127.0.0.1:30000/fleet.git", helperFor(file))
	if err != nil {
		t.Fatal(err)
	}
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1"}, pairs(configVariables(settings))...)
	credential := func(verb, input string) string {
		cmd := exec.Command("git", "credential", verb)
		cmd.Env, cmd.Stdin = env, strings.NewReader(input)
		out, _ := cmd.CombinedOutput() // where no helper answers, it fails
		return string(out)
	}
	const ours, other = "protocol=http\nhost=127.0.0.1:30000\n", "protocol=https\nhost=git.example.org\n"
	if out := credential("fill", ours); !strings.Contains(out, "password=secret") {
		t.Errorf("for the demo's URL: %s", out)
	}
	for _, input := range []string{other, "protocol=http\nhost=127.0.0.1:30001\n", "protocol=https\nhost=127.0.0.1:30000\n"} {
		if out := credential("fill", input); strings.Contains(out, "secret") {
			t.Errorf("for %q: %s", input, out)
		}
	}
	credential("approve", ours+"username=demo\npassword=secret\n")
	if raw, err := os.ReadFile(stored); err == nil {
		t.Errorf("the user's helper has stored the demo's password: %s", raw)
	}
	credential("approve", other+"username=me\npassword=mine\n")
	if raw, err := os.ReadFile(stored); err != nil || !strings.Contains(string(raw), "git.example.org") {
		t.Errorf("the user's helper does not store what is theirs: %v %s", err, raw)
	}
	credential("reject", ours+"username=demo\npassword=secret\n")
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "username=demo\npassword=secret\n" {
		t.Errorf("the credentials are now %q, %v", raw, err)
	}
}

// TestForgetLogin asks the helper of a clone whose cluster is stopped.
func TestForgetLogin(t *testing.T) {
	cluster := folderOnly{dir: t.TempDir()}
	file := filepath.Join(cluster.dir, loginFile)
	write(t, file, "username=demo\npassword=secret\n")
	ask := func() string {
		out, _ := exec.Command("sh", "-c", strings.TrimPrefix(helperFor(file), "!")+" get").Output() // without the file, it fails
		return string(out)
	}
	if !strings.Contains(ask(), "secret") {
		t.Fatal("the helper does not answer")
	}
	for range 2 {
		if err := ForgetLogin(cluster); err != nil {
			t.Fatal(err)
		}
	}
	if answer := ask(); answer != "" {
		t.Errorf("the helper answers %q", answer)
	}
}

// folderOnly is a cluster of which only the folder counts.
type folderOnly struct {
	clusters.Cluster
	dir string
}

func (f folderOnly) Dir() string { return f.dir }
