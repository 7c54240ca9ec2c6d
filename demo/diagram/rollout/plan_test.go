package rollout

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-billy/v6/memfs"
	"github.com/go-git/go-billy/v6/util"

	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
)

func plan(t *testing.T, src string) (*Plan, error) {
	t.Helper()
	c, err := flowchart.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return NewPlan("x", c)
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"diamond", "graph TD;A-->B;A-->C;B-->D;C-->D", "x--a[] x--b[A] x--c[A] x--d[B C]"},
		{"named against the order", "graph TD\nD\nC-->D\nB-->C", "x--b[] x--c[B] x--d[C]"},
		{"boxes", "graph LR\nsubgraph one\nA\nsubgraph two\nB\nend\nend\none-->C\nC-->E\nsubgraph three\nE\nF\nend\nC-->three", "x--a[] x--b[] x--c[A B] x--e[C] x--f[C]"},
		{"lines and tails", "graph LR\nA---B\nC<-->D2\nA-->A2", ""},
		{"lines", "graph LR\nA---B\nA-.->C\nA==>C", "x--a[] x--b[] x--c[A]"},
		{"names", "graph LR\na-->A\nA-->Größe\nGröße-->部署", "x--a[] x--a-2[a] x--gr-e[A] x--x[Größe]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := plan(t, tt.src)
			if tt.want == "" {
				if err == nil {
					t.Error("an arrow both ways is taken")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, n := range p.Nodes {
				got = append(got, fmt.Sprintf("%s%v", n.Kustomization, n.After))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	for src, want := range map[string]string{
		"graph LR\nA-->B\nB-->C-->A\nC-->D":      "3:6: the arrows form a cycle, so its nodes wait for each other forever: A → B → C → A",
		"graph LR\nX-->A\nA-->A":                 "3:2: the arrows form a cycle, so its nodes wait for each other forever: A → A",
		"graph LR\nA<-->B":                       "2:2: the arrows form a cycle, so its nodes wait for each other forever: A → B → A",
		"graph LR\nA-->B-->C[Kustomization]":     "2:9: the node C (Kustomization) stands for something that the cluster already has; to show this diagram live, use `fluxdemo present`",
		"graph LR\n":                             "1:1: the diagram has no nodes, so there is nothing to run",
		"graph LR\nsubgraph s\nA\nB\nend\nA-->s": "6:2: the arrows form a cycle, so its nodes wait for each other forever: A → A",
	} {
		if _, err := plan(t, src); err == nil || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", src, err, want)
		}
	}
}

func TestFiles(t *testing.T) {
	files := memfs.New()
	if err := util.WriteFile(files, "clusters/demo/apps.yaml", []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{"graph LR\nA-->B-->C", "graph LR\nA-->B"} { // the second time without C
		p, err := plan(t, src)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.write(files); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := names(files); err != nil || fmt.Sprint(all) != "[x]" {
		t.Errorf("names: %v, %v", all, err)
	}
	raw, err := util.ReadFile(files, "clusters/demo/diagrams/x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"name: x--b", "dependsOn:\n  - name: x--a\n", "path: ./diagrams/x/x--b", "prune: true", Label + ": x"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
	if strings.Contains(string(raw), "status") || strings.Contains(string(raw), "x--c") {
		t.Errorf("too much in\n%s", raw)
	}
	if _, err := files.Stat("diagrams/x/x--c/configmap.yaml"); err == nil {
		t.Error("what is no longer in the diagram is still there")
	}
	if err := erase(files, "x"); err != nil {
		t.Fatal(err)
	}
	if all, err := names(files); err != nil || len(all) != 0 {
		t.Errorf("after it was erased: %v, %v", all, err)
	}
	if _, err := files.Stat("clusters/demo/apps.yaml"); err != nil {
		t.Error("it has taken what is not its own")
	}
}

// TestNames plans diagrams whose names and nodes could be read in several ways, and looks for names that two of them
// share.
func TestNames(t *testing.T) {
	long := strings.Repeat("very-long-", 8)
	taken := map[string]string{}
	for _, tt := range [][2]string{
		{"web", "api-db"}, {"web-api", "db"}, {"web-api-db", "x"}, {"web", "api--db"}, {"web-api-d", "b"}, {"web", "API"}, {"web-2", "api"},
		{"web", "api"}, {"web", long + "a"}, {"web", long + "b"}, {"web-very", strings.TrimPrefix(long, "very-") + "a"}, {"web", long},
	} {
		name := unique(tt[0], tt[1], map[string]bool{})
		key := tt[0] + " " + Slug(tt[1])
		if other := taken[name]; other != "" && other != key || len(name) > longestName || strings.HasSuffix(name, "-") {
			t.Errorf("%v is %s, as %q is", tt, name, other)
		}
		taken[name] = key
	}
}

func TestClash(t *testing.T) {
	const kustomization = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: %s\n  namespace: flux-system\n"
	p, err := plan(t, "graph LR\nA-->B")
	if err != nil {
		t.Fatal(err)
	}
	p.File = "x.mmd"
	other := *p
	other.File = "y.md#2"
	for name, tt := range map[string]struct {
		file, text string
		want       string
	}{
		"nothing":                    {"clusters/demo/apps.yaml", fmt.Sprintf(kustomization, "apps"), ""},
		"another Kustomization":      {"clusters/demo/mine.yaml", "---\n# mine\n---\n" + fmt.Sprintf(kustomization, "x--a"), "already has a Kustomization x--a, in clusters/demo/mine.yaml"},
		"another file":               {"clusters/demo/diagrams/x.yaml", fmt.Sprintf(kustomization, "mine"), "not of a diagram"},
		"no YAML":                    {"clusters/demo/mine.yaml", "a: [", ""},
		"of an earlier version":      {"clusters/demo/diagrams/x.yaml", fmt.Sprintf(kustomization, "x-a") + "  labels: {" + Label + ": x}\n", ""},
		"of an earlier version, too": {"clusters/demo/diagrams/x-2.yaml", fmt.Sprintf(kustomization, "x--a") + "  labels: {" + Label + ": x-2}\n", "already has a Kustomization x--a"},
	} {
		t.Run(name, func(t *testing.T) {
			files := memfs.New()
			if err := util.WriteFile(files, tt.file, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			err := p.write(files)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if raw, _ := util.ReadFile(files, tt.file); err != nil && string(raw) != tt.text {
				t.Errorf("the file is now\n%s", raw)
			}
		})
	}
	files := memfs.New()
	for range 2 { // again is no clash
		if err := p.write(files); err != nil {
			t.Fatal(err)
		}
	}
	if err := other.write(files); err == nil || !strings.Contains(err.Error(), "of x.mmd; remove it") {
		t.Errorf("another file of that name: %v", err)
	}
}

// TestErase takes away what has the label, and nothing that others have put beside it.
func TestErase(t *testing.T) {
	files := memfs.New()
	p, err := plan(t, "graph LR\nA-->B")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.write(files); err != nil {
		t.Fatal(err)
	}
	raw, err := util.ReadFile(files, "clusters/demo/diagrams/x.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const theirs = "kind: ConfigMap\nmetadata:\n  name: mine\n"
	for file, text := range map[string]string{
		"clusters/demo/diagrams/x.yaml": string(raw) + "---\n" + theirs, "clusters/demo/diagrams/mine.yaml": theirs,
		"diagrams/x/mine.yaml": theirs, "diagrams/x/README.md": "mine", "diagrams/mine/configmap.yaml": theirs,
		// As an earlier version has made it.
		"clusters/demo/diagrams/old.yaml": theirs + "  labels:\n    " + Label + ": old\n", "diagrams/old/old-a/configmap.yaml": theirs + "  labels: {" + Label + ": old}\n",
	} {
		if err := util.WriteFile(files, file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := names(files)
	if err != nil || fmt.Sprint(all) != "[old x]" {
		t.Fatalf("names: %v, %v", all, err)
	}
	for _, name := range all {
		if err := erase(files, name); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	err = util.Walk(files, "/", func(name string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			raw, err := util.ReadFile(files, name)
			if err != nil {
				return err
			}
			left = append(left, strings.TrimPrefix(name, "/"))
			if strings.Contains(string(raw), Label) {
				t.Errorf("%s has a diagram's\n%s", name, raw)
			}
		}
		return err
	})
	want := "[clusters/demo/diagrams/mine.yaml clusters/demo/diagrams/x.yaml diagrams/mine/configmap.yaml diagrams/x/README.md diagrams/x/mine.yaml]"
	if err != nil || fmt.Sprint(left) != want {
		t.Errorf("left: %v, %v", left, err)
	}
	if raw, err := util.ReadFile(files, "clusters/demo/diagrams/x.yaml"); err != nil || string(raw) != theirs {
		t.Errorf("left of x.yaml: %q, %v", raw, err)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	bare := write("My plan.mmd", "graph LR\nA-->B")
	deck := write("deck.md", "# One\n\n```mermaid\ngraph LR\nA-->B\n```\n{:\n  relative_height=\"60\"\n}\n\n* in a list\n\n  ```mermaid\n  graph LR\n  A-->\n  ```\n")
	for arg, want := range map[string]string{
		bare: "my-plan", bare + "#1": "my-plan", deck + "#1": "deck-1",
	} {
		if p, err := Load(arg); err != nil || p.Name != want || len(p.Nodes) != 2 {
			t.Errorf("%s: %+v, %v", arg, p, err)
		}
	}
	for arg, want := range map[string]string{
		deck:                     deck + ": the file has 2 diagrams; choose one: #1 in line 4, #2 in line 14",
		deck + "#2":              deck + ":16:3: expected a node, found the end of the diagram",
		deck + "#3":              deck + ": there is no diagram 3; the file has 2",
		deck + "#x":              deck + "#x: the part after # must be the number of a diagram, from 1",
		write("none.md", "# x"):  "none.md: no diagram found; a diagram is a fenced block with the word mermaid",
		filepath.Join(dir, "no"): "no such file",
	} {
		if _, err := Load(arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v\nwant %s", arg, err, want)
		}
	}
}
