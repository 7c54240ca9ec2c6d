package diagram

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-billy/v6/memfs"
	"github.com/go-git/go-billy/v6/util"

	"github.com/fluxdemo/fluxdemo/demo/flowchart"
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
		{"diamond", "graph TD;A-->B;A-->C;B-->D;C-->D", "x-a[] x-b[A] x-c[A] x-d[B C]"},
		{"named against the order", "graph TD\nD\nC-->D\nB-->C", "x-b[] x-c[B] x-d[C]"},
		{"boxes", "graph LR\nsubgraph one\nA\nsubgraph two\nB\nend\nend\none-->C\nC-->E\nsubgraph three\nE\nF\nend\nC-->three", "x-a[] x-b[] x-c[A B] x-e[C] x-f[C]"},
		{"lines and tails", "graph LR\nA---B\nC<-->D2\nA-->A2", ""},
		{"lines", "graph LR\nA---B\nA-.->C\nA==>C", "x-a[] x-b[] x-c[A]"},
		{"names", "graph LR\na-->A\nA-->Größe\nGröße-->部署", "x-a[] x-a-2[a] x-gr-e[A] x-x[Größe]"},
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
		"graph LR\nA-->B\nB-->C-->A\nC-->D":      "3:6: the arrows go in a circle, and nothing in it could ever start: A → B → C → A",
		"graph LR\nX-->A\nA-->A":                 "3:2: the arrows go in a circle, and nothing in it could ever start: A → A",
		"graph LR\nA<-->B":                       "2:2: the arrows go in a circle, and nothing in it could ever start: A → B → A",
		"graph LR\nA-->B-->C[Kustomization]":     "2:9: node C (Kustomization) is in the cluster anyway: this diagram is for `fluxdemo present`, which shows it live",
		"graph LR\n":                             "1:1: the diagram has no nodes, so there is nothing to run",
		"graph LR\nsubgraph s\nA\nB\nend\nA-->s": "6:2: the arrows go in a circle, and nothing in it could ever start: A → A",
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
	for _, want := range []string{"name: x-b", "dependsOn:\n  - name: x-a\n", "path: ./diagrams/x/x-b", "prune: true", Label + ": x"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
	if strings.Contains(string(raw), "status") || strings.Contains(string(raw), "x-c") {
		t.Errorf("too much in\n%s", raw)
	}
	if _, err := files.Stat("diagrams/x/x-c/configmap.yaml"); err == nil {
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
		deck:                     deck + ": there are 2 diagrams in it; choose one: #1 in line 4, #2 in line 14",
		deck + "#2":              deck + ":16:3: a node is expected here, not the end of the diagram",
		deck + "#3":              deck + ": there is no diagram 3 in it, only 2",
		deck + "#x":              deck + "#x: behind the # stands the number of a diagram, from 1",
		write("none.md", "# x"):  "none.md: there is no diagram in it: a fenced block with the word mermaid",
		filepath.Join(dir, "no"): "no such file",
	} {
		if _, err := Load(arg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v\nwant %s", arg, err, want)
		}
	}
}
