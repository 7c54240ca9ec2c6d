package setup

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/fluxdemo/fluxdemo/demo/services/git"
)

func TestSeed(t *testing.T) {
	host, err := git.New(git.Config{Root: t.TempDir(), Username: GitUser, Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	server := httptest.NewServer(host)
	defer server.Close()
	url := server.URL + Repository
	content := fstest.MapFS{
		"README.md":            {Data: []byte("hello\n")},
		"clusters/demo/a.yaml": {Data: []byte("a: 1\n")},
	}

	if err := seed(context.Background(), url, GitUser, "wrong", content); err == nil {
		t.Error("a wrong password was taken")
	}
	for range 2 { // the second time finds the first
		if err := seed(context.Background(), url, GitUser, "secret", content); err != nil {
			t.Fatal(err)
		}
		content["README.md"] = &fstest.MapFile{Data: []byte("changed\n")}
	}

	clone := filepath.Join(t.TempDir(), "clone")
	if out, err := exec.Command("git", "clone", "--quiet", "--branch=main", url, clone).CombinedOutput(); err != nil {
		t.Fatalf("git clone: %v\n%s", err, out)
	}
	for name, want := range map[string]string{"README.md": "hello\n", "clusters/demo/a.yaml": "a: 1\n"} {
		got, err := os.ReadFile(filepath.Join(clone, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
}

// TestWebhookURL looks at the shape; that it is the Receiver's own path, every
// push of the end-to-end tests proves.
func TestWebhookURL(t *testing.T) {
	const want = "http://webhook-receiver.flux-system.svc.cluster.local/hook/"
	got := webhookURL("token")
	if len(got) != len(want)+64 || got[:len(want)] != want {
		t.Errorf("got %s", got)
	}
	if got == webhookURL("other") {
		t.Error("another token has the same path")
	}
}
