package manifests

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// TestSource lets the fleet follow other repositories: what that takes changes in its files, and nothing else.
func TestSource(t *testing.T) {
	own, err := Fleet(Source{})
	if err != nil {
		t.Fatal(err)
	}
	const (
		was     = "-  url: http://git.fluxdemo.svc.cluster.local/fleet.git\n"
		account = "+  serviceAccountName: \"true\"\n"
	)
	for name, c := range map[string]struct {
		source Source
		want   map[string]string // what is added to and removed from each file
	}{
		"its own":    {Source{}, nil},
		"a forge":    {Source{URL: "https://git.example.com/x.git"}, map[string]string{syncFile: "+  url: https://git.example.com/x.git\n" + was}},
		"an odd URL": {Source{URL: "https://git.example.com/ #x"}, map[string]string{syncFile: "+  url: 'https://git.example.com/ #x'\n" + was}},
		"a secret": {
			Source{URL: "https://git.example.com/x.git", Secret: "forge"},
			map[string]string{syncFile: "+    name: forge\n+  secretRef:\n+  url: https://git.example.com/x.git\n" + was},
		},
		"an account": {Source{ServiceAccount: "true"}, map[string]string{syncFile: account, appsFile: account}},
	} {
		t.Run(name, func(t *testing.T) {
			theirs, err := Fleet(c.source)
			if err != nil {
				t.Fatal(err)
			}
			err = fs.WalkDir(own, ".", func(path string, entry fs.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					if got := changes(read(t, own, path), read(t, theirs, path)); got != c.want[path] {
						t.Errorf("%s:\n%s, want\n%s", path, got, c.want[path])
					}
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if objects, err := Sync(c.source); err != nil || len(objects) == 0 {
				t.Errorf("%d objects, %v", len(objects), err)
			}
		})
	}
}

func read(t *testing.T, files fs.FS, path string) string {
	t.Helper()
	raw, err := fs.ReadFile(files, path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// changes returns the lines that a text has more often than before, and then those that it has less often, sorted.
func changes(before, after string) string {
	counts := map[string]int{}
	for line := range strings.Lines(after) {
		counts[line]++
	}
	for line := range strings.Lines(before) {
		counts[line]--
	}
	var all []string
	for line, n := range counts {
		if n > 0 {
			all = append(all, "+"+line)
		}
		if n < 0 {
			all = append(all, "-"+line)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}
