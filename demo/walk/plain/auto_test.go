package plain

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/interp"

	"github.com/fluxdemo/fluxdemo/demo/walk/walktest"
)

func TestAutoGolden(t *testing.T) {
	src, err := os.ReadFile(filepath.Join("..", "testdata", "complete.md"))
	if err != nil {
		t.Fatal(err)
	}
	ses, dir := newSession(t, string(src))
	var out bytes.Buffer
	if err := Auto(walktest.Context(t), ses, NewScreen(&out, []string{"TERM=xterm-256color"}), AutoOptions{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "auto.golden", out.String())
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("the cleanup left %v", left)
	}
}

// golden is walktest.Golden for a screen whose lines fit and have no colours.
func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, l := range strings.Split(got, "\n") {
		if n := len([]rune(l)); n > screenWidth || strings.ContainsRune(l, '\x1b') {
			t.Errorf("%d columns, or colours in a file: %q", n, l)
		}
	}
	walktest.Golden(t, name, got)
}

func TestAutoFailure(t *testing.T) {
	ses, dir := newSession(t, walktest.OneStep("touch it; false", "true", "rm it")+"## Cleanup\n```sh\ntouch clean\n```\n")
	var out bytes.Buffer
	err := Auto(walktest.Context(t), ses, NewScreen(&out, nil), AutoOptions{})
	if err == nil || !errors.Is(err, interp.ExitStatus(1)) || !strings.Contains(out.String(), "✗ touch it") {
		t.Errorf("error %v, output\n%s", err, &out)
	}
	if _, err := os.Stat(filepath.Join(dir, "clean")); err != nil {
		t.Errorf("no cleanup after a failure: %v", err)
	}

	ctx, cancel := context.WithCancel(walktest.Context(t))
	cancel()
	ses, dir = newSession(t, walktest.OneStep("true", "true", "true")+"## Cleanup\n```sh\ntouch clean\n```\n")
	if err := Auto(ctx, ses, NewScreen(&out, nil), AutoOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "clean")); err != nil {
		t.Errorf("no cleanup after an interruption: %v", err)
	}
}

func TestAutoOnceMore(t *testing.T) {
	for name, tt := range map[string]struct {
		change, ready string // ready is the file that makes the cluster heal
		heals         bool
	}{
		"healed":     {"touch it\ntest -e healed", "healed", true},
		"not healed": {"touch it\ntest -e healed", "other", false},
		"no program": {"no-such-program", "healed", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, walktest.OneStep(tt.change, "test -e it", "rm it"))
			asked := 0
			f.options.Runner.Ready = func(context.Context) error {
				asked++
				return os.WriteFile(filepath.Join(f.dir, tt.ready), nil, 0o600)
			}
			ses := f.open(t)
			var out bytes.Buffer
			err := Auto(walktest.Context(t), ses, NewScreen(&out, nil), AutoOptions{})
			if (err == nil) != tt.heals || asked > 1 {
				t.Errorf("asked %d times, error %v, output\n%s", asked, err, &out)
			}
		})
	}
}

func TestStartAtStep(t *testing.T) {
	ses, _ := newSession(t, walktest.Front+"## One\n```sh look\nword=hello\n```\n```sh check\ntrue\n```\n## Two\n```sh look\necho \"$word, you\"\n```\n```sh check\ntrue\n```\n")
	var out bytes.Buffer
	if err := Auto(walktest.Context(t), ses, NewScreen(&out, nil), AutoOptions{From: 1}); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); !strings.Contains(s, "prepared: One") || strings.Contains(s, "1/2") || !strings.Contains(s, "hello, you") {
		t.Errorf("got\n%s", s)
	}
}

func TestDryRun(t *testing.T) {
	ses, dir := newSession(t, strings.Replace(walktest.Fails, "title: A walk", "needs: [base]", 1))
	var out bytes.Buffer
	DryRun(ses.Walk(), NewScreen(&out, nil), 1)
	if s := out.String(); strings.Contains(s, "1/3") || !strings.Contains(s, "needs base\n") ||
		!strings.Contains(s, "2/3 Two\n    $ echo \"no way\"\n    $ false\n    … true (at most 1m0s)\n") {
		t.Errorf("got\n%s", s)
	}
	if ses.Started() {
		t.Error("it ran in " + dir)
	}
}
