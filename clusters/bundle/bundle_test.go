package bundle

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// write makes a small bundle with one file.
func write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "flux"), []byte("flux"), 0o755); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(Bundle{OS: runtime.GOOS, Arch: runtime.GOARCH, Files: []File{{
		Name: "flux", Size: 4, Modules: map[string]string{"github.com/fluxcd/flux2/v2": "v2.9.2"},
		SHA256: "a2e10207c7be30e1d07b0b7e353ecc1a1364f39057e1acedd3f76c5d2ceed180",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bundle.json"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFind(t *testing.T) {
	dir := write(t)
	t.Setenv(EnvVar, dir)
	b, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Version("github.com/fluxcd/flux2/v2"); got != "v2.9.2" {
		t.Errorf("version: got %q", got)
	}
	if got := b.Path("flux"); got != filepath.Join(dir, "flux") {
		t.Errorf("path: got %q", got)
	}

	t.Setenv(EnvVar, t.TempDir())
	if _, err := Find(""); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "make bundle") {
		t.Errorf("an empty folder: got %v, want ErrNotFound with the command that makes one", err)
	}
	if b, err := Find(dir); err != nil || b.Dir != dir {
		t.Errorf("an explicit folder should win over the environment: %v", err)
	}
}

func TestDamaged(t *testing.T) {
	tests := map[string]struct {
		damage func(t *testing.T, dir string) error
		want   string
	}{
		"a file is missing": {
			func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, "flux")) },
			"flux is missing",
		},
		"a file was cut": {
			func(_ *testing.T, dir string) error { return os.Truncate(filepath.Join(dir, "flux"), 3) },
			"flux has 3 bytes instead of 4",
		},
		"a file was changed": {
			func(_ *testing.T, dir string) error {
				return os.WriteFile(filepath.Join(dir, "flux"), []byte("xulf"), 0o755)
			},
			"flux does not have the checksum",
		},
		"bundle.json is not JSON": {
			func(_ *testing.T, dir string) error {
				return os.WriteFile(filepath.Join(dir, "bundle.json"), []byte("{"), 0o644)
			},
			"bundle.json",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := write(t)
			if err := test.damage(t, dir); err != nil {
				t.Fatal(err)
			}
			b, err := Find(dir)
			if err == nil {
				err = b.Verify(filepath.Join(t.TempDir(), "stamp"))
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "make bundle") {
				t.Errorf("got %v, want %q and the command that mends it", err, test.want)
			}
		})
	}
}

func TestVerifyRemembers(t *testing.T) {
	dir, stamp := write(t), filepath.Join(t.TempDir(), "stamp")
	b, err := Find(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Verify(stamp); err != nil {
			t.Fatal(err)
		}
	}
	// Same size, other content: the stamp must not hide it.
	if err := os.WriteFile(filepath.Join(dir, "flux"), []byte("xulf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(stamp); err == nil {
		t.Error("a change after the stamp was not noticed")
	}
}
