package flowchart

import "strings"

// link reads an arrow with its text. It may stand on the next line; ok is false if there is none.
func (p *parser) link() (e Edge, ok bool, err error) {
	start := p.pos
	p.spaces()
	if id := p.linkID(); id != "" {
		e.ID = id
		p.edgeIDs[id] = true
		p.pos += len(id) + 1
	}
	at := p.pos
	a, ok := p.arrow(false)
	if !ok {
		p.pos = start
		return e, false, nil
	}
	where := p.place(at)
	e.Line, e.Col, e.Stroke, e.Tail = where.line, where.col, a.stroke, a.tail
	if a.begins { // -- text -->
		if e.Label, a, err = p.label(at, a.stroke); err != nil {
			return e, false, err
		}
	}
	e.Head = a.head
	p.spaces()
	if bar := p.pos; p.take("|") {
		if e.Label, _, err = p.text(bar, "|"); err != nil {
			return e, false, err
		}
		p.spaces()
	}
	return e, true, nil
}

// linkID returns the name of the link that follows, if it has one: e1@-->.
func (p *parser) linkID() string {
	start := p.pos
	defer func() { p.pos = start }()
	id := p.id()
	if id == "" || !p.take("@") {
		return ""
	}
	if _, ok := p.arrow(false); !ok {
		return ""
	}
	return id
}

// arrow is an arrow, or the part of it before the text.
type arrow struct {
	stroke, tail, head string
	begins             bool // text and the rest of the arrow follow
}

// headOf gives what a character draws at the end of an arrow.
func headOf(c byte) string {
	switch c {
	case '<', '>':
		return "arrow"
	case 'o':
		return "circle"
	case 'x':
		return "cross"
	}
	return ""
}

// arrow reads an arrow. With closing, it may not be one that text follows.
func (p *parser) arrow(closing bool) (a arrow, ok bool) {
	start := p.pos
	defer func() {
		if !ok {
			p.pos = start
		}
	}()
	if n := p.run('~'); n > 0 {
		return arrow{stroke: "invisible"}, n > 2
	}
	if c := p.peek(0); c == '<' || c == 'x' || c == 'o' {
		a.tail = headOf(c)
		p.pos++
	}
	if p.has("-.") || p.has(".") {
		a.stroke = "dotted"
		a.begins = p.take("-")
		dots := p.pos
		p.run('.')
		if !p.take("-") { // -. text .->
			p.pos = dots + 1
			return a, a.begins && !closing
		}
		a.begins = false
		a.head = p.head()
		return a, true
	}
	stroke := p.peek(0)
	switch stroke {
	case '-':
		a.stroke = "normal"
	case '=':
		a.stroke = "thick"
	default:
		return a, false
	}
	n := p.run(stroke)
	if n < 2 {
		return a, false
	}
	a.head = p.head()
	a.begins = n == 2 && a.head == ""
	return a, !a.begins || !closing
}

// run goes past a row of one character and returns its length.
func (p *parser) run(c byte) (n int) {
	for p.peek(0) == c {
		p.pos++
		n++
	}
	return n
}

func (p *parser) head() string {
	c := p.peek(0)
	if c == '<' || headOf(c) == "" {
		return ""
	}
	p.pos++
	return headOf(c)
}

// label reads the text within an arrow, and the arrow's second half.
func (p *parser) label(at int, stroke string) (text string, a arrow, err error) {
	p.spaces()
	quoted := p.has(`"`)
	if quoted {
		if text, err = p.quoted(); err != nil {
			return "", a, err
		}
		p.spaces()
	}
	start := p.pos
	mark := map[string]string{"normal": "--", "thick": "==", "dotted": "."}[stroke]
	for p.pos < len(p.src) {
		// Far ahead at once: what is no part of an arrow is text.
		n := strings.Index(p.src[p.pos:], mark)
		if n < 0 {
			break
		}
		p.pos += n
		if stroke == "dotted" && p.pos > start && p.src[p.pos-1] == '-' {
			p.pos--
		}
		stop := p.pos
		a, ok := p.arrow(true)
		if !ok {
			if stroke == "dotted" { // a full stop
				p.pos = stop + 1 + strings.Count(p.src[stop:stop+1], "-")
				continue
			}
			return "", a, p.errorAt(stop, "the arrow is incomplete: `%s` needs another character or a head, such as `%s>`", mark, mark)
		}
		said := strings.TrimSuffix(p.src[start:stop], "<")
		if !quoted {
			return plain(said), a, nil
		}
		if strings.TrimSpace(said) != "" {
			return "", a, p.errorAt(start, "only the rest of the arrow may follow the text in quotes")
		}
		return text, a, nil
	}
	return "", a, p.errorAt(at, "this arrow has text and no second half, such as `-->`")
}
