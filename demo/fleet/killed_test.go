package fleet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asChild are the URL and the folder with which this program, run again, only fetches the fleet.
const asChild = "FLUXDEMO_TEST_FETCH"

func TestMain(m *testing.M) {
	url, dir, child := strings.Cut(os.Getenv(asChild), " ")
	if !child {
		os.Exit(m.Run())
	}
	fmt.Println("begun")
	if _, err := (&Repository{URL: url, Copy: dir}).Head(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestKilled kills a process while it fetches, each time a little later: whatever it has left, the next one goes on
// from there, with all commits.
func TestKilled(t *testing.T) {
	url := serve(t).URL + "/fleet.git"
	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, "", "clone", "-q", strings.Replace(url, "//", "//demo:secret@", 1), clone)
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(clone, fmt.Sprint(i)), []byte(fmt.Sprint(i)), 0o600); err != nil {
			t.Fatal(err)
		}
		gitIn(t, clone, "add", ".")
		gitIn(t, clone, "commit", "-q", "-m", fmt.Sprint(i))
	}
	gitIn(t, clone, "push", "-q", "origin", "HEAD:main")
	commits := strings.Fields(gitIn(t, clone, "rev-list", "HEAD"))

	fetch := func(dir string, kill time.Duration) time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), asChild+"="+url+" "+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, len("begun\n"))); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if kill > 0 {
			time.Sleep(kill) // the moment of the kill is what this test varies
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		err = cmd.Wait()
		if kill == 0 && err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	whole := fetch(filepath.Join(t.TempDir(), "copy"), 0)
	const kills = 40
	for i := range kills {
		r := &Repository{URL: url, User: "demo", Password: "secret", Copy: filepath.Join(t.TempDir(), "copy")}
		fetch(r.Copy, whole*time.Duration(i+1)/kills)
		head, err := r.Head(t.Context())
		if err != nil || head != commits[0] {
			t.Fatalf("kill %d: at %s, want %s: %v", i, head, commits[0], err)
		}
		if err := r.Restore(t.Context(), commits[len(commits)-1], nil); err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		if err := r.Restore(t.Context(), head, nil); err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
	}
}

// TestDamaged finds in the copy what a crash left there when references were not written in one step.
func TestDamaged(t *testing.T) {
	r := &Repository{URL: serve(t).URL + "/fleet.git", User: "demo", Password: "secret", Copy: filepath.Join(t.TempDir(), "copy")}
	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, "", "clone", "-q", strings.Replace(r.URL, "//", "//demo:secret@", 1), clone)
	gitIn(t, "", "init", "-q", "--bare", r.Copy)
	head := filepath.Join(r.Copy, "refs", "heads", "main")
	for i, left := range []string{"", "\n", "0", "ref: refs/heads/main", strings.Repeat("1", 40) + "\n"} {
		for _, name := range []string{head, filepath.Join(r.Copy, "refs", "heads", "restore"), filepath.Join(r.Copy, "config")} {
			if err := os.WriteFile(name, []byte(left), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		gitIn(t, clone, "commit", "-q", "--allow-empty", "-m", fmt.Sprint(i))
		gitIn(t, clone, "push", "-q", "origin", "HEAD:main")
		want := gitIn(t, clone, "rev-parse", "HEAD")
		if now, err := r.Head(t.Context()); err != nil || now != want {
			t.Fatalf("with %q: at %s, want %s: %v", left, now, want, err)
		}
		if err := r.Restore(t.Context(), want, nil); err != nil {
			t.Fatalf("with %q: %v", left, err)
		}
		if kept, err := os.ReadFile(head); err != nil || string(kept) != want+"\n" {
			t.Errorf("with %q: kept %q, %v", left, kept, err)
		}
	}
}
