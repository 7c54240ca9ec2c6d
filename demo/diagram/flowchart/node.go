package flowchart

import (
	"fmt"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// chain reads nodes and the links between them: A & B --> C --> D.
func (p *parser) chain() error {
	from, err := p.group()
	if err != nil {
		return err
	}
	for {
		l, ok, err := p.link()
		if err != nil || !ok {
			return err
		}
		to, err := p.group()
		if err != nil {
			return err
		}
		for _, a := range from {
			for _, b := range to {
				l.From, l.To = a, b
				p.edges = append(p.edges, l)
			}
		}
		if n := len(p.edges); n > maxEdges {
			return &SyntaxError{l.Line, l.Col, fmt.Sprintf("the diagram has %d edges, and mermaid's limit is %d", n, maxEdges)}
		}
		from = to
	}
}

// group reads nodes that are joined by &, and returns their IDs.
func (p *parser) group() (ids []string, err error) {
	for {
		id, err := p.node()
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
		if len(ids) > maxEdges {
			return nil, p.errorAt(p.pos, "the nodes joined here need more edges than mermaid's limit (%d)", maxEdges)
		}
		start := p.pos
		p.blanks()
		if p.pos == start || !p.take("&") {
			p.pos = start
			return ids, nil
		}
		p.blanks()
	}
}

// node reads a node, with its shape and text if they stand there.
func (p *parser) node() (id string, err error) {
	at := p.pos
	id = p.id()
	switch {
	case id == "" && p.has("%%"):
		return "", p.errorAt(at, "a comment needs a line of its own")
	case id == "":
		return "", p.errorAt(at, "expected a node, found %s", p.found())
	case id == "end":
		return "", p.errorAt(at, "a node cannot be named end in lower case")
	}
	if p.edgeIDs[id] && p.has("@{") {
		_, err := p.properties()
		return id, err
	}
	n := p.byID[id]
	if n == nil {
		where := p.place(at)
		n = &Node{ID: id, Shape: "rect", Line: where.line, Col: where.col}
		p.byID[id] = n
		p.nodes = append(p.nodes, n)
	}
	if k := len(p.open); k > 0 {
		p.open[k-1].named = append(p.open[k-1].named, id)
	}
	if err := p.shape(n); err != nil {
		return "", err
	}
	if p.has("@{") {
		said, err := p.properties()
		if err != nil {
			return "", err
		}
		if said.Shape != "" {
			n.Shape = said.Shape
		}
		if said.Label != "" {
			n.Label = plain(said.Label)
		}
	}
	if p.take(":::") {
		if p.id() == "" {
			return "", p.errorAt(p.pos, "expected the name of a class, found %s", p.found())
		}
	}
	return id, nil
}

// id reads the name of a node.
func (p *parser) id() string {
	start := p.pos
	for p.pos < len(p.src) {
		r, size := p.next()
		next := p.peek(size)
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
		case strings.ContainsRune("!#$&'*+.`?\\_/,", r):
		case r == '%' && next != '%':
		case r == '-' && next != '-' && next != '>' && next != '.' && next != 0:
		case r == '=' && next != '=':
		case r == ':' && !p.has(":::"):
		case r > unicode.MaxASCII && unicode.IsPrint(r) && !unicode.IsSpace(r):
		default:
			return p.src[start:p.pos]
		}
		if r == '&' && p.pos == start {
			return ""
		}
		p.pos += size
	}
	return p.src[start:p.pos]
}

// brackets is a pair of brackets around a node's text, and the shape that it stands for.
type brackets struct{ open, close, shape string }

// shapes are all of them; what begins like another one and is longer comes first.
func shapes() []brackets {
	return []brackets{
		{"(((", ")))", "doublecircle"},
		{"((", "))", "circle"},
		{"([", "])", "stadium"},
		{"(-", "-)", "ellipse"},
		{"(", ")", "round"},
		{"[[", "]]", "subroutine"},
		{"[(", ")]", "cylinder"},
		{"[/", "/]", "lean_right"},
		{"[/", `\]`, "trapezoid"},
		{`[\`, `\]`, "lean_left"},
		{`[\`, "/]", "inv_trapezoid"},
		{"[|", "]", "rect"},
		{"[", "]", "rect"},
		{"{{", "}}", "hexagon"},
		{"{", "}", "diamond"},
		{">", "]", "odd"},
	}
}

// shape reads the brackets behind a node's name, if there are any.
func (p *parser) shape(n *Node) error {
	start := p.pos
	p.blanks()
	if at := p.pos; at > start {
		if c := p.peek(0); c == '[' || c == '(' || c == '{' {
			return p.errorAt(at, "remove the space between the node and its brackets")
		}
		p.pos = start
		return nil
	}
	var fits []brackets
	for _, b := range shapes() {
		if p.has(b.open) && (fits == nil || b.open == fits[0].open) {
			fits = append(fits, b)
		}
	}
	if fits == nil {
		return nil
	}
	p.pos += len(fits[0].open)
	if fits[0].open == "[|" { // [|key:value|text]
		n := strings.IndexByte(p.src[p.pos:], '|')
		if n < 0 {
			return p.errorAt(start, "this `[|` has no second `|`")
		}
		p.pos += n + 1
	}
	var closers []string
	for _, b := range fits {
		closers = append(closers, b.close)
	}
	text, which, err := p.text(start, closers...)
	if err != nil {
		return err
	}
	n.Label, n.Shape = text, fits[which].shape
	return nil
}

// properties are what stands in @{ ... }.
type properties struct {
	Shape string `yaml:"shape"`
	Label string `yaml:"label"`
}

// properties reads @{ ... }, which is YAML.
func (p *parser) properties() (said properties, err error) {
	at := p.pos
	p.pos += len("@{")
	start, quote := p.pos, byte(0)
	for ; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
			continue
		case c == '"' || c == '\'':
			quote = c
			continue
		case c != '}':
			continue
		}
		text := p.src[start:p.pos]
		if !strings.Contains(text, "\n") {
			text = "{" + text + "}"
		}
		p.pos++
		if err := yaml.Unmarshal([]byte(text), &said); err != nil {
			return said, p.errorAt(at, "the text in `@{ }` is not YAML: %s", strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: "))
		}
		return said, nil
	}
	return said, p.errorAt(at, "this `@{` has no `}`")
}
