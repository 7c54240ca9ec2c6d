package flowchart

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// show writes a chart in a few lines that a test can compare: its nodes, then edges, then subgraphs.
func show(c *Chart) string {
	var b strings.Builder
	b.WriteString(c.Direction + "\n")
	for _, n := range c.Nodes {
		fmt.Fprintf(&b, "%s %s %q", n.ID, n.Shape, n.Label)
		if n.Subgraph != "" {
			b.WriteString(" in " + n.Subgraph)
		}
		b.WriteString("\n")
	}
	for _, e := range c.Edges {
		fmt.Fprintf(&b, "%s -> %s %s%s%s", e.From, e.To, e.Stroke, mark(" tail=", e.Tail), mark(" head=", e.Head))
		if e.ID != "" {
			b.WriteString(" id=" + e.ID)
		}
		if e.Label != "" {
			fmt.Fprintf(&b, " %q", e.Label)
		}
		b.WriteString("\n")
	}
	for _, s := range c.Subgraphs {
		fmt.Fprintf(&b, "[%s] %q%s %v\n", s.ID, s.Title, mark(" in ", s.Parent), s.Nodes)
	}
	return b.String()
}

func mark(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

func TestParse(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"plain", "graph TD;\n  A-->B;\n  A-->C;\n  B-->D;\n  C-->D;\n", `TB
A rect "A"
B rect "B"
C rect "C"
D rect "D"
A -> B normal head=arrow
A -> C normal head=arrow
B -> D normal head=arrow
C -> D normal head=arrow
`},
		{"chains, groups and subgraphs", `flowchart LR

subgraph Outside
A((You))
B(Git Host)
end

A --> B -- tells --> R & S

subgraph Inside
subgraph "The controllers"
R((Receiver))
G -- pull --> B
G[(Source)]
end
end
Inside --> L
`, `LR
A circle "You" in Outside
B round "Git Host" in Outside
R circle "Receiver" in subGraph1
S rect "S"
G cylinder "Source" in subGraph1
L rect "L"
A -> B normal head=arrow
B -> R normal head=arrow "tells"
B -> S normal head=arrow "tells"
G -> B normal head=arrow "pull"
Inside -> L normal head=arrow
[Outside] "Outside" [A B]
[Inside] "Inside" []
[subGraph1] "The controllers" in Inside [R G]
`},
		{"shapes", `flowchart
a[rect] --- b(round) --- c([stadium]) --- d[[sub]] --- e[(db)] --- f((circle)) --- g(((double)))
h>odd] --- i{diamond} --- j{{hexagon}} --- k[/right/] --- l[\left\] --- m[/trap\] --- n[\inv/] --- o(-ellipse-)
p@{ shape: rounded, label: "A label" }
q["two<br/>lines &amp; #quot;more#quot; #35;1"]:::big --- r["` + "`**bold** text`" + `"]
s[fa:fa-ban stop]
t@{
  shape: cloud
  label: "up there"
}
`, `TB
a rect "rect"
b round "round"
c stadium "stadium"
d subroutine "sub"
e cylinder "db"
f circle "circle"
g doublecircle "double"
h odd "odd"
i diamond "diamond"
j hexagon "hexagon"
k lean_right "right"
l lean_left "left"
m trapezoid "trap"
n inv_trapezoid "inv"
o ellipse "ellipse"
p rounded "A label"
q rect "two lines & \"more\" #1"
r rect "bold text"
s rect "stop"
t cloud "up there"
a -> b normal
b -> c normal
c -> d normal
d -> e normal
e -> f normal
f -> g normal
h -> i normal
i -> j normal
j -> k normal
k -> l normal
l -> m normal
m -> n normal
n -> o normal
q -> r normal
`},
		{"arrows", `flowchart RL
A --> B; B --- C; C -.-> D; D -.- E; E ==> F; F === G; G ~~~ H
A <--> B; A x--x B; A o--o B; A --x B; A --o B; A ---> B; A -...-> B; A <==> B; A <-.-> B
A -->|yes| B; A ---|"no: (really)"| B; A -. maybe v1.2 .-> B; A == sure ==> B; A -- plain --- B; A -- "a -- b" --> B
A e1@--> B
e1@{ animate: true }
A
  --> B
A -->
  B
a-b --> c.d/e:f
`, `RL
A rect "A"
B rect "B"
C rect "C"
D rect "D"
E rect "E"
F rect "F"
G rect "G"
H rect "H"
a-b rect "a-b"
c.d/e:f rect "c.d/e:f"
A -> B normal head=arrow
B -> C normal
C -> D dotted head=arrow
D -> E dotted
E -> F thick head=arrow
F -> G thick
G -> H invisible
A -> B normal tail=arrow head=arrow
A -> B normal tail=cross head=cross
A -> B normal tail=circle head=circle
A -> B normal head=cross
A -> B normal head=circle
A -> B normal head=arrow
A -> B dotted head=arrow
A -> B thick tail=arrow head=arrow
A -> B dotted tail=arrow head=arrow
A -> B normal head=arrow "yes"
A -> B normal "no: (really)"
A -> B dotted head=arrow "maybe v1.2"
A -> B thick head=arrow "sure"
A -> B normal "plain"
A -> B normal head=arrow "a -- b"
A -> B normal head=arrow id=e1
A -> B normal head=arrow
A -> B normal head=arrow
a-b -> c.d/e:f normal head=arrow
`},
		{"what only draws", `---
title: A title
---
%% a comment with --> in it
%%{init: {"theme": "dark"}}%%
graph TB
  accTitle: what it is about; really
  accDescr {
    more
    of it
  }
  classDef big fill:#f9f,stroke:#333;
  A:::big --> B
  %% another
  class A,B big
  style A fill:#f9f,stroke:#333,stroke-width:4px
  linkStyle 0 stroke:#ff3,stroke-width:4px
  click A "https://example.org/?a;b" "tip"
  subgraph one [First one]
    direction LR
    C
  end
`, `TB
A rect "A"
B rect "B"
C rect "C" in one
A -> B normal head=arrow
[one] "First one" [C]
`},
		{"subgraphs that nobody names", `flowchart
subgraph a title
  subgraph
    A
  end
  B
end
`, `TB
A rect "A" in subGraph0
B rect "B" in subGraph1
[subGraph1] "a title" [B]
[subGraph0] "" in subGraph1 [A]
`},
		{"the first to end has a node", `flowchart
subgraph one
  subgraph two
    A --> B
  end
  B --> C
end
subgraph three
  C --> D
end
`, `TB
A rect "A" in two
B rect "B" in two
C rect "C" in one
D rect "D" in three
A -> B normal head=arrow
B -> C normal head=arrow
C -> D normal head=arrow
[one] "one" [C]
[two] "two" in one [A B]
[three] "three" [D]
`},
		{"other languages", "flowchart LR\r\nñ[Größe] --> 部署\r\n", `LR
ñ rect "Größe"
部署 rect "部署"
ñ -> 部署 normal head=arrow
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse(tt.src)
			if err != nil {
				t.Fatal(err)
			}
			if got := show(c); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if !Is(tt.src) {
				t.Error("Is says no")
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	c, err := Parse("%% größer\nflowchart LR\n  ä --> b\n\tc -- x --> d\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range c.Nodes {
		got = append(got, fmt.Sprintf("%s %d:%d", n.ID, n.Line, n.Col))
	}
	for _, e := range c.Edges {
		got = append(got, fmt.Sprintf("%s%s %d:%d", e.From, e.To, e.Line, e.Col))
	}
	want := []string{"ä 3:3", "b 3:9", "c 4:2", "d 4:13", "äb 3:5", "cd 4:4"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestErrors(t *testing.T) {
	for src, want := range map[string]string{
		"":                                               "1:1: the diagram is empty",
		"sequenceDiagram\nA->>B: x":                      "1:1: this is not a flowchart: a flowchart begins with `flowchart` or `graph`",
		"flowchart XY\n":                                 `1:11: "XY" is not a direction; valid values: TB, TD, BT, LR, RL`,
		"flowchart LR A --> B":                           "1:14: a statement follows the direction: begin a new line, or write `;`",
		"flowchart\nA -->":                               "2:6: expected a node, found the end of the diagram",
		"flowchart\nA --> ;":                             `2:7: expected a node, found ";"`,
		"flowchart\nA[one":                               "2:2: this `[` has no `]`",
		"flowchart\nA[one (two)]":                        "2:7: unexpected \"(\" (`[` is not closed): put the text in quotes",
		"flowchart\nA[\"one\" two]":                      "2:9: expected `]`, found \"t\"",
		"flowchart\nA[\"one":                             "2:3: this quote is not closed",
		"flowchart\nA [one]":                             "2:3: remove the space between the node and its brackets",
		"flowchart\nA B":                                 `2:3: unexpected "B": expected an arrow or the end of the statement`,
		"flowchart\nA -- one two":                        "2:3: this arrow has text and no second half, such as `-->`",
		"flowchart\nA -- one -- B":                       "2:10: the arrow is incomplete: `--` needs another character or a head, such as `-->`",
		"flowchart\nA --> end":                           "2:7: a node cannot be named end in lower case",
		"flowchart\nend":                                 "2:1: this `end` closes no subgraph; a node cannot be named end in lower case",
		"flowchart\nsubgraph x\nA":                       `2:1: the subgraph "x" has no end`,
		"flowchart\nA --> B %% why":                      "2:9: a comment needs a line of its own",
		"flowchart\nA@{ shape: [ }":                      "2:2: the text in `@{ }` is not YAML: ",
		"flowchart\nA -- \"x\" y --> B":                  "2:10: only the rest of the arrow may follow the text in quotes",
		"flowchart\n" + strings.Repeat("A --> B\n", 501): "502:3: the diagram has 501 edges, and mermaid's limit is 500",
		"flowchart\n%%" + strings.Repeat("x", maxText) + "\nA": "1:1: the diagram has 50014 characters, and mermaid's limit is 50000",
	} {
		_, err := Parse(src)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %s", src, err, want)
		}
	}
}

func TestIs(t *testing.T) {
	for src, want := range map[string]bool{
		"graph LR\nA-->B":               true,
		"\n\n  flowchart":               true,
		"%% x\nflowchart-elk TD":        true,
		"graph;A":                       true,
		"---\ntitle: x\n---\ngraph TD":  true,
		"sequenceDiagram\n":             false,
		"graphic LR":                    false,
		"flowcharts":                    false,
		"":                              false,
		"gitGraph:\n":                   false,
		"%%{init: {}}%%\nstateDiagram":  false,
		"%%{init: {}}%%\nflowchart\nA;": true,
	} {
		if got := Is(src); got != want {
			t.Errorf("%q: got %v", src, got)
		}
	}
}

// FuzzParse: no text brings the parser down, holds it up, or gets an answer that does not fit together.
func FuzzParse(f *testing.F) {
	f.Add("flowchart LR\nsubgraph s [t]\nA((x)) -- y --> B & C -.-> D@{ shape: x }\nend\n")
	f.Add("graph TD;A-->|x|B;classDef a b;class A a;")
	f.Add("flowchart\nA e1@==> B\ne1@{a: b}\n%%{x\nA <--> B")
	f.Add("---\nx\n---\nflowchart\nA[/x\\]~~~B>y]-. z .->C{{\"q\"}}")
	f.Fuzz(func(t *testing.T, src string) {
		start := time.Now()
		c, err := Parse(src)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %s", took)
		}
		lines := strings.Split(src, "\n")
		inside := func(line, col int) {
			if line < 1 || line > len(lines) || col < 1 || col > len([]rune(lines[line-1]))+1 {
				t.Errorf("place %d:%d is not in the text", line, col)
			}
		}
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("%T %v", err, err)
			}
			inside(syntax.Line, syntax.Col)
			return
		}
		known := map[string]bool{}
		for _, n := range c.Nodes {
			if n.ID == "" || n.Label == "" && !strings.ContainsAny(n.ID, "<&#") || known[n.ID] {
				t.Errorf("node %+v", n)
			}
			known[n.ID] = true
			inside(n.Line, n.Col)
		}
		for _, s := range c.Subgraphs {
			known[s.ID] = true
			inside(s.Line, s.Col)
			for _, id := range s.Nodes {
				if !known[id] {
					t.Errorf("subgraph %q has the unknown node %q", s.ID, id)
				}
			}
		}
		for _, e := range c.Edges {
			inside(e.Line, e.Col)
			if !known[e.From] || !known[e.To] {
				t.Errorf("edge %+v", e)
			}
		}
	})
}
