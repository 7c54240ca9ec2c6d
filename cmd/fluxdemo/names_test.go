package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fluxdemo/fluxdemo/cmd/fluxdemo/internal/status"
)

// TestNames works with a demo as a user does who has unpacked a kit, and whose PATH does not lead to it.
func TestNames(t *testing.T) {
	d := sharedDemo(t)
	env := slices.DeleteFunc(d.env(), func(pair string) bool { return strings.HasPrefix(pair, "PATH=") })
	env = append(env, "PATH=/usr/bin:/bin")
	kit := filepath.Join(d.work(), "my kit")
	sh := func(script string) result {
		t.Helper()
		return d.runIn(env, "/bin/sh", "-c", script)
	}
	if r := sh(fmt.Sprintf(`mkdir -p '%s' && ln -sf '%s' '%s/fluxdemo'`, kit, all.program, kit)); r.code != 0 {
		t.Fatal(r)
	}
	start := fmt.Sprintf(`cd '%s' && eval "$(./fluxdemo env --name %s)" && `, kit, d.name)

	// In that shell plain fluxdemo works, and means this demo.
	if r := sh(start + `fluxdemo status >/dev/null && fluxdemo list -o name && echo "$FLUXDEMO_NAME"`); r.code != 0 || r.stdout != d.name+"\n"+d.name+"\n" {
		t.Errorf("after env: %v", r)
	}
	// The flag is still stronger.
	if r := sh(start + `fluxdemo status --name other`); r.code != exitFailure || !strings.Contains(r.stderr, `"other"; choose one with --name: `+d.name) {
		t.Errorf("with a flag: %v", r)
	}
	// What a command prints can be pasted into the next shell.
	r := sh(fmt.Sprintf(`cd '%s' && echo q | ./fluxdemo walk gitops --learn --name %s`, kit, d.name))
	var lines []string
	for line := range strings.Lines(r.stdout) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "eval ") {
			lines = append(lines, line)
		}
	}
	if r.code != 0 || len(lines) != 1 || !strings.Contains(lines[0], "./fluxdemo env") {
		t.Fatalf("no line to paste: %v", r)
	}
	if r := sh(fmt.Sprintf("cd '%s'\n%s\nfluxdemo hint", kit, lines[0])); r.code != 0 {
		t.Errorf("pasted: %v", r)
	}
	d.must(t, "reset") // the walk ends

	var demos []status.Demo
	if err := json.Unmarshal([]byte(d.must(t, "list", "-o", "json")), &demos); err != nil {
		t.Fatal(err)
	}
	s, err := d.status()
	if err != nil {
		t.Fatal(err)
	}
	want := status.Demo{Name: d.name, Provider: d.kind, State: status.Running, Current: true, URL: s.URLs.App}
	if len(demos) != 1 || demos[0] != want || want.URL == "" {
		t.Errorf("got %+v, want %+v", demos, want)
	}
}
