package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestStart looks at the environment of a browser, and at what it leaves.
func TestStart(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	home, temporary := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("TMPDIR", temporary)
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
	t.Setenv("FLUXDEMO_GIT_TOKEN", "secret")
	t.Setenv("http_proxy", "http://127.0.0.1:9")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, stop, err := Start(ctx)
	if err != nil {
		t.Fatalf("%v; hack/deps.sh installs it", err)
	}
	seen := 0
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		status, _ := os.ReadFile(file) // it may have ended
		if !strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", os.Getpid())) {
			continue
		}
		environ, err := os.ReadFile(filepath.Join(filepath.Dir(file), "environ"))
		if err != nil || len(environ) == 0 {
			continue
		}
		seen++
		for pair := range strings.SplitSeq(string(environ), "\x00") {
			name, value, _ := strings.Cut(pair, "=")
			if value == "secret" || strings.Contains(name, "proxy") || name == "HOME" && value == home || name == "XDG_CONFIG_HOME" {
				t.Errorf("the browser has %s", pair)
			}
		}
	}
	if seen == 0 {
		t.Error("found no browser")
	}
	stop()
	for dir, allowed := range map[string]string{home: "", temporary: "chromedp"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if allowed == "" || !strings.Contains(entry.Name(), allowed) {
				t.Errorf("left in %s: %s", dir, entry.Name())
			}
		}
	}
}
