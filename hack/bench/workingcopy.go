package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// appSettings is the file that a push changes.
const appSettings = "apps/demo/app/app.env"

// workingCopy is a clone of the fleet, ready to push.
type workingCopy struct {
	dir string
	env []string
}

// git runs git in the working copy.
func (w workingCopy) git(ctx context.Context, args ...string) error {
	_, err := w.output(ctx, args...)
	return err
}

func (w workingCopy) output(ctx context.Context, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", w.dir}, args...)...)
	cmd.Env = w.env
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_, raw, err := timed(ctx, cmd, &out, &errOut)
	return strings.TrimSpace(string(raw)), err
}

// commit makes the n-th change, to a page that says message, and returns the
// commit's hash.
func (w workingCopy) commit(ctx context.Context, n int, message string) (string, error) {
	colors := []string{"tomato", "seagreen", "goldenrod", "slateblue", "steelblue"}
	path := filepath.Join(w.dir, appSettings)
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	settings := set(set(string(raw), "COLOR", colors[n%len(colors)]), "MESSAGE", message)
	if err := os.WriteFile(path, []byte(settings), 0o644); err != nil {
		return "", err
	}
	if err := w.git(ctx, "commit", "--quiet", "--all", "--message", message); err != nil {
		return "", err
	}
	return w.output(ctx, "rev-parse", "HEAD")
}

// set replaces the value of a variable in a file of NAME=value lines.
func set(settings, name, value string) string {
	lines := strings.Split(settings, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, name+"=") {
			lines[i] = name + "=" + value
		}
	}
	return strings.Join(lines, "\n")
}

// create makes the working copy from content, in which replace changes every
// file, and pushes it as the first commit to url. helper is the setting
// credential.helper.
func (w workingCopy) create(ctx context.Context, content fs.FS, replace *strings.Replacer, url, helper string) error {
	err := fs.WalkDir(content, ".", func(path string, entry fs.DirEntry, err error) error {
		target := filepath.Join(w.dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		raw, err := fs.ReadFile(content, path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, []byte(replace.Replace(string(raw))), 0o644)
	})
	if err != nil {
		return fmt.Errorf("writing the fleet: %w", err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"config", "credential.helper", helper},
		{"config", "user.name", "Demo"},
		{"config", "user.email", "demo@localhost"},
		{"remote", "add", "origin", url},
		{"add", "."},
		{"commit", "--quiet", "--message=The demo's fleet"},
		{"push", "--quiet", "--set-upstream", "origin", "main"},
	} {
		if err := w.git(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}
