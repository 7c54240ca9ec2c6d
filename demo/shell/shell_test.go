package shell

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestExport lets a real shell read what Export writes.
func TestExport(t *testing.T) {
	values := []string{"plain", "", "two words", "it's", `"$HOME" \ $(date)`, "two\nlines"}
	for _, want := range values {
		env := Environment{{"FIRST", "x"}, {"VALUE", want}}
		out, err := exec.Command("/bin/sh", "-c", env.Export()+`printf %s "$VALUE"`).Output()
		if err != nil || string(out) != want {
			t.Errorf("%q: the shell read %q, %v", want, out, err)
		}
		if got := env.List(); len(got) != 2 || got[1] != "VALUE="+want {
			t.Errorf("list: got %q", got)
		}
	}
}

func TestLink(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bin")
	for _, target := range []string{"/old/kube", "/new/kube", "/new/kube"} {
		if err := link(dir, map[string]string{"kubectl": target}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.Readlink(filepath.Join(dir, "kubectl")); err != nil || got != target {
			t.Errorf("got %q, %v; want %q", got, err, target)
		}
	}
}
