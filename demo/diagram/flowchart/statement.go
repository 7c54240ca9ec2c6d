package flowchart

import (
	"strconv"
	"strings"
	"unicode"
)

// statement reads the next statement; more is false at the end of the text.
func (p *parser) statement() (more bool, err error) {
	for p.spaces(); p.take(";"); p.spaces() {
	}
	if p.pos == len(p.src) {
		return false, nil
	}
	at := p.pos
	switch word := p.word(); {
	case word == "subgraph":
		err = p.subgraph(at)
	case word == "end":
		err = p.end(at)
	case word == "direction":
		err = p.inner()
	case word == "accTitle" || word == "accDescr":
		err = p.accessible(at)
	case look(word):
		p.line()
	default:
		p.pos = at
		err = p.chain()
	}
	if err != nil {
		return false, err
	}
	p.blanks()
	if !p.ended() {
		if p.has("%%") {
			return false, p.errorAt(p.pos, "a comment needs a line of its own")
		}
		return false, p.errorAt(p.pos, "unexpected %s: expected an arrow or the end of the statement", p.found())
	}
	return true, nil
}

// look reports whether a word begins a statement about how the chart looks or what a click does.
func look(word string) bool {
	switch word {
	case "style", "linkStyle", "classDef", "class", "click":
		return true
	}
	return false
}

// word goes past a keyword and returns it. What goes on like a node is none.
func (p *parser) word() string {
	start := p.pos
	word := p.takeWhile(unicode.IsLetter)
	next := p.peek(0)
	switch {
	case next == 0, strings.IndexByte(" \t\r\n;", next) >= 0:
		return word
	case (word == "accTitle" || word == "accDescr") && (next == ':' || next == '{'):
		return word
	}
	p.pos = start
	return ""
}

// line goes past the rest of a statement; what is in quotes may hold a semicolon.
func (p *parser) line() {
	quoted := false
	for p.pos < len(p.src) && p.src[p.pos] != '\n' && (quoted || p.src[p.pos] != ';') {
		if p.src[p.pos] == '"' {
			quoted = !quoted
		}
		p.pos++
	}
}

// accessible goes past what a screen reader says of the chart.
func (p *parser) accessible(at int) error {
	p.blanks()
	switch {
	case p.take("{"):
		n := strings.IndexByte(p.src[p.pos:], '}')
		if n < 0 {
			return p.errorAt(at, "this `{` has no `}`")
		}
		p.pos += n + 1
	case p.take(":"):
		if n := strings.IndexByte(p.src[p.pos:], '\n'); n >= 0 {
			p.pos += n
		} else {
			p.pos = len(p.src)
		}
	default:
		return p.errorAt(p.pos, "a colon is missing")
	}
	return nil
}

// inner reads the direction within a subgraph, and drops it.
func (p *parser) inner() error {
	p.blanks()
	at := p.pos
	word := p.takeWhile(func(r rune) bool { return !strings.ContainsRune(" \t\r\n;", r) })
	if _, ok := directionOf(word); !ok || word == "" {
		return p.errorAt(at, "%q is not a direction; valid values: TB, TD, BT, LR, RL", word)
	}
	return nil
}

// subgraph reads the beginning of a subgraph.
func (p *parser) subgraph(at int) error {
	s := Subgraph{}
	if n := len(p.open); n > 0 {
		s.Parent = p.subgraphs[p.open[n-1].index].ID
	}
	where := p.place(at)
	s.Line, s.Col = where.line, where.col
	p.blanks()
	var err error
	named := false
	if p.has(`"`) {
		s.Title, err = p.quoted()
		named = true
	} else {
		s.Title = strings.TrimSpace(p.takeWhile(func(r rune) bool { return !strings.ContainsRune("[\n;\"", r) }))
	}
	if err != nil {
		return err
	}
	s.ID = s.Title
	if !named {
		s.Title = plain(s.Title)
	}
	p.blanks()
	if p.take("[") {
		if s.Title, _, err = p.text(p.pos-1, "]"); err != nil {
			return err
		}
	} else if strings.ContainsFunc(s.ID, unicode.IsSpace) {
		s.ID = ""
	}
	p.open = append(p.open, scope{index: len(p.subgraphs), at: at})
	p.subgraphs = append(p.subgraphs, s)
	return nil
}

// end closes the innermost subgraph.
func (p *parser) end(at int) error {
	n := len(p.open)
	if n == 0 {
		return p.errorAt(at, "this `end` closes no subgraph; a node cannot be named end in lower case")
	}
	top := p.open[n-1]
	p.open = p.open[:n-1]
	s := &p.subgraphs[top.index]
	if s.ID == "" {
		s.ID = "subGraph" + strconv.Itoa(p.closed)
		// Nodes and boxes within have an empty parent so far.
		for i := top.index + 1; i < len(p.subgraphs); i++ {
			if p.subgraphs[i].Parent == "" {
				p.subgraphs[i].Parent = s.ID
			}
		}
	}
	p.closed++
	// A node belongs to the first subgraph to end that names it.
	for _, id := range top.named {
		if !p.taken[id] {
			p.taken[id] = true
			s.Nodes = append(s.Nodes, id)
		}
	}
	return nil
}
