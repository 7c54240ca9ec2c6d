package called

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWord calls a program in several ways, and starts what is to be pasted with a real shell.
func TestWord(t *testing.T) {
	root := t.TempDir()
	file := func(dir, name string) string {
		t.Helper()
		path := filepath.Join(root, dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho \"it is "+dir+"\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kit := file("it's my kit", "fluxdemo")
	installed := file("installed", "fluxdemo")
	renamed := file("renamed", "fd")
	linked := filepath.Join(root, "links", "fluxdemo")
	if err := os.MkdirAll(filepath.Dir(linked), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(kit, linked); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path, arg0, executable string
		want                   string
	}{
		"on PATH":                                 {filepath.Dir(installed), "fluxdemo", installed, "fluxdemo"},
		"on PATH, and called by its path":         {filepath.Dir(installed), installed, installed, "fluxdemo"},
		"on PATH as a link":                       {filepath.Dir(linked), "fluxdemo", kit, "fluxdemo"},
		"not on PATH":                             {"/usr/bin", kit, kit, Quote(kit)},
		"in the folder":                           {"/usr/bin", "./fluxdemo", kit, "./fluxdemo"},
		"below the folder":                        {"/usr/bin", "bin/fluxdemo", kit, "bin/fluxdemo"},
		"another one is on PATH":                  {filepath.Dir(installed), kit, kit, Quote(kit)},
		"under another name on PATH":              {filepath.Dir(renamed), "fd", renamed, "fd"},
		"by a program that makes up a first word": {"/usr/bin", "fluxdemo", kit, Quote(kit)},
		"without a first word":                    {"/usr/bin", "", kit, Quote(kit)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			got := By(tt.arg0, tt.executable, "", "").Word
			if got != tt.want {
				t.Fatalf("got %s, want %s", got, tt.want)
			}
			if strings.HasPrefix(tt.arg0, "./") || strings.HasPrefix(tt.arg0, "bin/") {
				return // where the user is
			}
			cmd := exec.Command("/bin/sh", "-c", got)
			cmd.Env = []string{"PATH=" + tt.path}
			out, err := cmd.CombinedOutput()
			if want := "it is " + filepath.Base(filepath.Dir(tt.executable)) + "\n"; err != nil || string(out) != want {
				t.Errorf("the shell starts %q, %v, want %q", out, err, want)
			}
		})
	}
}

func TestText(t *testing.T) {
	t.Setenv("PATH", "/usr/bin")
	for name, tt := range map[string]struct{ demo, set, message, want string }{
		"the default":                 {"fluxdemo", "", "broken; `fluxdemo up` repairs it", "broken; `./fluxdemo up` repairs it"},
		"another one":                 {"second", "", "broken; `fluxdemo up` repairs it", "broken; `./fluxdemo up --name second` repairs it"},
		"it is named":                 {"second", "", "`fluxdemo up --name own --cluster embedded`, then --name own", "`./fluxdemo up --name own --cluster embedded`, then --name own"},
		"the environment's":           {"second", "second", "`fluxdemo env`", "`./fluxdemo env --name second`"},
		"not the environment's":       {"fluxdemo", "second", "`fluxdemo env`", "`./fluxdemo env --name fluxdemo`"},
		"it concerns none":            {"second", "", "`fluxdemo doctor` and `fluxdemo up --help`", "`./fluxdemo doctor` and `./fluxdemo up --help`"},
		"two":                         {"second", "", "`fluxdemo down`, then `fluxdemo up`", "`./fluxdemo down --name second`, then `./fluxdemo up --name second`"},
		"no command":                  {"second", "", "fluxdemo did not create it; `flux resume` resumes it", "fluxdemo did not create it; `flux resume` resumes it"},
		"a backquote that stays open": {"second", "", "` fluxdemo up, `fluxdemo up", "` fluxdemo up, `fluxdemo up"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := By("./fluxdemo", "", tt.demo, tt.set).Text(tt.message); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if got := (Program{}).Text("`fluxdemo up` repairs it"); got != "`fluxdemo up` repairs it" {
		t.Errorf("the zero Program: %s", got)
	}
}
