package stream

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestArchive reads with tar as kubectl cp does: the names have to begin with
// what was asked for.
func TestArchive(t *testing.T) {
	dir := t.TempDir()
	host := filepath.Join(dir, "volumes", "1234")
	if err := os.MkdirAll(filepath.Join(host, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "sub/b"} {
		if err := os.WriteFile(filepath.Join(host, name), []byte("content of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	resolve := func(p string) (string, bool) {
		rest, ok := strings.CutPrefix(p, "/data/in")
		return filepath.Join(host, rest), ok
	}
	rewrite := func(words []string) []string { return append(slices.Clone(words), "rewritten") }
	tests := map[string][]string{
		"/data/in/a":    {"data/in/a"},
		"/data/in/sub":  {"data/in/sub/", "data/in/sub/b"},
		"/data/in":      {"data/in/", "data/in/a", "data/in/sub/", "data/in/sub/b"},
		"/data/in/":     {"data/in/", "data/in/a", "data/in/sub/", "data/in/sub/b"},
		"/data/in/none": nil,
	}
	for asked, want := range tests {
		command, remove, err := Archive([]string{"tar", "cf", "-", asked}, dir, resolve, rewrite)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(command[0], command[1:]...).Output()
		remove()
		if (err != nil) != (want == nil) {
			t.Errorf("%s: %v: %v", asked, command, err)
			continue
		}
		var got []string
		archive := tar.NewReader(bytes.NewReader(out))
		for want != nil {
			header, err := archive.Next()
			if err == io.EOF { //nolint:errorlint // as tar returns it
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, header.Name)
			content, _ := io.ReadAll(archive)
			if base := filepath.Base(header.Name); header.Typeflag == tar.TypeReg && !strings.HasSuffix(string(content), base) {
				t.Errorf("%s has %q", header.Name, content)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", asked, got, want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "cp-*")); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	for _, other := range [][]string{{"tar", "cf", "-", "/etc/hosts"}, {"tar", "cf", "-", "relative"}, {"tar", "xf", "-"}, {"ls"}} {
		command, _, err := Archive(other, dir, resolve, rewrite)
		if err != nil || !slices.Equal(command, rewrite(other)) {
			t.Errorf("%v became %v, %v", other, command, err)
		}
	}
}
