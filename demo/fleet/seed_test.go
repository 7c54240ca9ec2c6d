package fleet

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fluxdemo/fluxdemo/demo/services/forge"
	"github.com/fluxdemo/fluxdemo/demo/services/git"
)

// serveGit serves an empty repository, and returns where it is.
func serveGit(t *testing.T) Host {
	t.Helper()
	host, err := git.New(git.Config{Root: t.TempDir(), Username: "demo", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(host)
	t.Cleanup(func() { server.Close(); host.Close() })
	return Host{URL: server.URL + "/fleet.git", Username: "demo", Password: "secret"}
}

// content is what a demo begins with, as far as it matters here.
func content() fstest.MapFS {
	return fstest.MapFS{
		"README.md":               {Data: []byte("hello\n")},
		"clusters/demo/apps.yaml": {Data: []byte("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\n")},
		"clusters/demo/flux-system/gotk-sync.yaml": {Data: []byte("kind: GitRepository\n")},
	}
}

func TestSeed(t *testing.T) {
	host, files := serveGit(t), content()
	file := filepath.Join(t.TempDir(), "a b", BeginningFile) // git takes blanks, too
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	wrong := host
	wrong.Password = "wrong"
	if _, err := Seed(t.Context(), wrong, files, file); err == nil {
		t.Error("a wrong password was taken")
	}
	// The first one has kept the commit and could not push it. It is pushed now, whatever this version has; and the
	// third finds it.
	files["README.md"] = &fstest.MapFile{Data: []byte("changed\n")}
	var commits []string
	for range 2 {
		b, err := Seed(t.Context(), host, files, file)
		if err != nil {
			t.Fatal(err)
		}
		commits = append(commits, b.Commit)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	run(t, "", "clone", "--quiet", "--branch=main", host.URL, clone)
	commits = append(commits, run(t, clone, "rev-parse", "HEAD"))
	run(t, clone, "fetch", "--quiet", file, "main")
	commits = append(commits, run(t, clone, "rev-parse", "FETCH_HEAD"))
	if len(slices.Compact(commits)) != 1 {
		t.Errorf("these should be one commit: %v", commits)
	}
	for name, want := range content() {
		got, err := os.ReadFile(filepath.Join(clone, name))
		if err != nil || string(got) != string(want.Data) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want.Data)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// The branch is not there any more, as on a forge where somebody has deleted it.
	empty := serveGit(t)
	if _, err := Seed(t.Context(), empty, files, file); err != nil {
		t.Fatal(err)
	}
	if out := run(t, clone, "ls-remote", empty.URL, "refs/heads/main"); !strings.HasPrefix(out, commits[0]) {
		t.Errorf("main is %s, want %s", out, commits[0])
	}
	// A file that is cut off anywhere is named, and nothing is pushed.
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for size := range whole {
		if err := os.WriteFile(file, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBeginning(file); err == nil || !strings.Contains(err.Error(), file+" is damaged") || strings.Contains(err.Error(), "\n") {
			t.Fatalf("cut at %d of %d: %v", size, len(whole), err)
		}
	}
	if _, err := Seed(t.Context(), host, files, file); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestSeedOnHistory finds the beginning in what earlier versions have left.
func TestSeedOnHistory(t *testing.T) {
	push := func(t *testing.T, host Host, rewrite func(t *testing.T, dir string)) (begun string) {
		t.Helper()
		b, err := Seed(t.Context(), host, content(), filepath.Join(t.TempDir(), BeginningFile))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "clone")
		run(t, "", "clone", "--quiet", host.URL, dir)
		rewrite(t, dir)
		run(t, dir, "push", "--quiet", "--force", strings.Replace(host.URL, "//", "//demo:secret@", 1), "HEAD:main")
		return b.Commit
	}
	note := func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, dir, "add", ".")
		run(t, dir, "commit", "--quiet", "-m", "Mine")
	}
	amended := func(t *testing.T, dir string) { run(t, dir, "commit", "--quiet", "--amend", "-m", "The demo's fleet") }
	foreign := func(t *testing.T, dir string) {
		run(t, dir, "checkout", "--quiet", "--orphan", "theirs")
		note(t, dir)
	}
	for name, tt := range map[string]struct {
		rewrite func(*testing.T, string)
		found   bool // in the history
		ours    bool // all of it, so a demo may move it on a forge
	}{
		"as it was":      {func(*testing.T, string) {}, true, true},
		"commits on top": {note, true, true},
		"a second root merged": {func(t *testing.T, dir string) {
			foreign(t, dir)
			run(t, dir, "merge", "--quiet", "--allow-unrelated-histories", "-m", "Both", "main")
		}, true, false},
		"amended":   {amended, false, false},
		"unrelated": {foreign, false, false}, // has the file, as `flux bootstrap --path=clusters/demo` makes it
	} {
		t.Run(name, func(t *testing.T) {
			host := serveGit(t)
			begun := push(t, host, tt.rewrite)
			now := content() // not the same: two equal commits within one second are one
			now["README.md"] = &fstest.MapFile{Data: []byte("a later version\n")}
			b, err := Seed(t.Context(), host, now, filepath.Join(t.TempDir(), BeginningFile))
			if err != nil || (b.Commit == begun) != tt.found {
				t.Errorf("the demo's own host: %+v, %v; begun with %s", b, err, begun)
			}
			host.Forge = true
			b, err = Seed(t.Context(), host, now, filepath.Join(t.TempDir(), BeginningFile))
			if tt.found != (err == nil) || err != nil && !strings.Contains(err.Error(), "fluxdemo did not create") {
				t.Errorf("a forge: %+v, %v", b, err)
			}
			u := &forge.Repository{URL: host.URL, Username: host.Username, Password: host.Password}
			if err := CheckUpstream(t.Context(), u, false); tt.ours != (err == nil) || err != nil && !strings.Contains(err.Error(), "create an empty repository") {
				t.Errorf("--git-url: %v", err)
			}
			if err := CheckUpstream(t.Context(), u, true); err != nil {
				t.Errorf("--git-url again: %v", err)
			}
		})
	}
}

// run runs git.
func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestWebhookURL looks at the shape; that it is the Receiver's own path, every
// push of the end-to-end tests proves.
