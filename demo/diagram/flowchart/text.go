package flowchart

import (
	"html"
	"regexp"
	"strings"
)

// text reads what stands in brackets that were opened at, to the first of the closers, and says which one it was.
func (p *parser) text(at int, closers ...string) (text string, which int, err error) {
	inside := p.pos
	p.spaces()
	if p.has(`"`) {
		if text, err = p.quoted(); err != nil {
			return "", 0, err
		}
		p.spaces()
		for i, closer := range closers {
			if p.take(closer) {
				return text, i, nil
			}
		}
		return "", 0, p.errorAt(p.pos, "expected `%s`, found %s", closers[0], p.found())
	}
	p.pos = inside
	for p.pos < len(p.src) {
		for i, closer := range closers {
			if p.has(closer) {
				said := p.src[inside:p.pos]
				p.pos += len(closer)
				return plain(said), i, nil
			}
		}
		if c := p.src[p.pos]; strings.IndexByte(`[](){}|"`, c) >= 0 {
			return "", 0, p.errorAt(p.pos, "unexpected %q (`%s` is not closed): put the text in quotes", string(c), p.src[at:inside])
		}
		p.pos++
	}
	return "", 0, p.errorAt(at, "this `%s` has no `%s`", p.src[at:inside], closers[0])
}

// quoted reads a text in quotes, which may go over several lines.
func (p *parser) quoted() (string, error) {
	at := p.pos
	p.pos++
	n := strings.IndexByte(p.src[p.pos:], '"')
	if n < 0 {
		return "", p.errorAt(at, "this quote is not closed")
	}
	said := p.src[p.pos : p.pos+n]
	p.pos += n + 1
	if inner, ok := strings.CutPrefix(said, "`"); ok {
		return plain(unmarked(strings.TrimSuffix(inner, "`"))), nil
	}
	return plain(said), nil
}

// unmarked takes the marks of emphasis out of a Markdown string.
func unmarked(s string) string {
	return strings.NewReplacer("**", "", "*", "", "__", "").Replace(s)
}

// plain makes what mermaid would draw from a text, on one line: without tags and icons, with characters for entities.
func plain(s string) string {
	if !strings.ContainsAny(s, "<:#&") {
		return strings.Join(strings.Fields(s), " ")
	}
	s = regexp.MustCompile(`<[/A-Za-z][^<>]*>`).ReplaceAllString(s, " ")
	s = regexp.MustCompile(`\bfa[bklrs]?:fa-[\w-]+`).ReplaceAllString(s, " ")
	// Mermaid's own way to write an entity: #35; or #quot;
	s = regexp.MustCompile(`#(\d+);`).ReplaceAllString(s, "&#$1;")
	s = regexp.MustCompile(`#([a-zA-Z]\w*);`).ReplaceAllString(s, "&$1;")
	return strings.Join(strings.Fields(html.UnescapeString(s)), " ")
}
