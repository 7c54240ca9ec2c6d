package kind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recordedEngine puts an engine on PATH that writes down how it is called, and then does what the script says.
func recordedEngine(t *testing.T, script string) (e engine, calls func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "calls")
	engines(t, map[string]string{"docker": `echo "$*" >>'` + file + "'\n" + script})
	return engine{cli: "docker"}, func() string {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(raw))
	}
}

func TestHasImage(t *testing.T) {
	for script, want := range map[string]bool{"echo sha256:1": true, "echo 'No such image' >&2; exit 1": false} {
		e, calls := recordedEngine(t, script)
		if got := e.hasImage(t.Context(), "node:v1"); got != want {
			t.Errorf("%s: %v", script, got)
		}
		if got := calls(); got != "image inspect --format {{.Id}} node:v1" {
			t.Errorf("it was called as %q", got)
		}
	}
}

// TestRunError: of what an engine says, the last line is the error.
func TestRunError(t *testing.T) {
	e, _ := recordedEngine(t, "echo 'a warning' >&2; echo 'it is away' >&2; exit 1")
	if _, err := e.run(t.Context(), "ps"); err == nil || err.Error() != "it is away" {
		t.Errorf("%v", err)
	}
	e, _ = recordedEngine(t, "exit 3")
	if _, err := e.run(t.Context(), "ps"); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
}
