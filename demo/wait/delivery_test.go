package wait

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/services/git"
)

// push commits once more to the repository at url, and returns the commit.
func push(t *testing.T, url string) string {
	t.Helper()
	dir := t.TempDir()
	run := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@t", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@t")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("clone", "-q", url, ".")
	run("commit", "-q", "--allow-empty", "-m", "one more")
	run("push", "-q", "origin", "HEAD:main")
	return run("rev-parse", "HEAD")
}

func TestDelivery(t *testing.T) {
	answer := make(chan int, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-answer) }))
	defer receiver.Close()
	host, err := git.New(git.Config{Root: t.TempDir(), Username: "demo", Password: "secret", WebhookURL: receiver.URL, WebhookToken: "token"})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	defer close(answer) // lets go of a webhook that still waits
	srv := httptest.NewServer(host)
	defer srv.CloseClientConnections()
	url := srv.URL + "/fleet.git"

	_, err = Delivery(limit(t, 300*time.Millisecond), url, Webhook{})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "has not delivered a webhook yet") {
		t.Errorf("nothing pushed: got %v", err)
	}
	commit := push(t, strings.Replace(url, "//", "//demo:secret@", 1))
	answer <- http.StatusNotFound
	refused, err := Delivery(limit(t, 20*time.Second), url, Webhook{Commit: commit, Status: http.StatusNotFound})
	if err != nil {
		t.Fatal(err)
	}
	if got := DescribeDelivery(refused); got != "webhook for "+commit[:8]+": the receiver answered 404 Not Found" {
		t.Errorf("got %s", got)
	}
	_, err = Delivery(limit(t, 300*time.Millisecond), url, Webhook{Commit: "other"})
	if err == nil || !strings.Contains(err.Error(), "the last one was: webhook for "+commit[:8]) {
		t.Errorf("another commit: got %v", err)
	}
	answer <- http.StatusOK // the Git host tries again by itself
	taken, err := Delivery(limit(t, 20*time.Second), url, Webhook{Commit: commit, Status: http.StatusOK})
	if err != nil {
		t.Fatal(err)
	}
	if got := DescribeDelivery(taken); !strings.Contains(got, "delivered after ") {
		t.Errorf("got %s", got)
	}

	if _, err := Delivery(limit(t, time.Second), "fleet", Webhook{}); err == nil || !strings.Contains(err.Error(), "is not a repository address") {
		t.Errorf("no address: got %v", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	defer gone.Close()
	if _, err := Delivery(limit(t, 300*time.Millisecond), gone.URL+"/fleet.git", Webhook{}); err == nil || !strings.Contains(err.Error(), "answers 404 Not Found") {
		t.Errorf("no Git host: got %v", err)
	}
}
