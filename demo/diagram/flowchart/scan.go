package flowchart

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// parser is a reading under way.
type parser struct {
	src       string // with blanks in place of comments, so that all places stay
	pos       int    // byte offset
	direction string

	nodes     []*Node // in the order of their first mention
	byID      map[string]*Node
	edges     []Edge
	edgeIDs   map[string]bool
	subgraphs []Subgraph
	boxes     map[string]bool // IDs of subgraphs
	taken     map[string]bool // nodes that a closed subgraph has
	closed    int             // subgraphs that have ended
	open      []scope         // subgraphs that have not
	last      place           // the last one asked for
}

// place is where a byte offset is.
type place struct{ at, line, col int }

// scope is a subgraph that has not ended.
type scope struct {
	index int // in parser.subgraphs
	at    int // byte offset of its beginning
	named []string
}

func newParser(src string) *parser {
	return &parser{
		src:  blankComments(src),
		last: place{line: 1, col: 1},
		byID: map[string]*Node{}, edgeIDs: map[string]bool{}, boxes: map[string]bool{}, taken: map[string]bool{},
	}
}

// place returns where a byte offset is. Who asks for rising offsets reads the text once.
func (p *parser) place(at int) place {
	if at < p.last.at {
		p.last = place{line: 1, col: 1}
	}
	for _, r := range p.src[p.last.at:at] {
		p.last.col++
		if r == '\n' {
			p.last.line++
			p.last.col = 1
		}
	}
	p.last.at = at
	return p.last
}

// errorAt makes the error for a byte offset.
func (p *parser) errorAt(at int, format string, args ...any) *SyntaxError {
	where := p.place(at)
	return &SyntaxError{where.line, where.col, fmt.Sprintf(format, args...)}
}

// blankComments puts blanks in place of front matter, comments and directives, and leaves line ends alone.
func blankComments(src string) string {
	front := regexp.MustCompile(`(?s)\A\s*---[ \t]*\r?\n.*?\n[ \t]*---[ \t]*(\r?\n|\z)`)
	directive := regexp.MustCompile(`(?s)%%\{.*?(\}%%|\z)`)
	comment := regexp.MustCompile(`(?m)^[ \t]*%%[^\n]*`)
	for _, what := range []*regexp.Regexp{front, directive, comment} {
		src = what.ReplaceAllStringFunc(src, func(s string) string {
			return strings.Map(func(r rune) rune {
				if r == '\n' || r == '\r' {
					return r
				}
				return ' '
			}, s)
		})
	}
	return src
}

// has reports whether the text goes on with s.
func (p *parser) has(s string) bool { return strings.HasPrefix(p.src[p.pos:], s) }

// take goes past s, if the text goes on with it.
func (p *parser) take(s string) bool {
	if !p.has(s) {
		return false
	}
	p.pos += len(s)
	return true
}

// peek returns the byte at an offset from the current place, 0 behind the end.
func (p *parser) peek(offset int) byte {
	if p.pos+offset < len(p.src) {
		return p.src[p.pos+offset]
	}
	return 0
}

// next returns the character at the current place.
func (p *parser) next() (r rune, size int) { return utf8.DecodeRuneInString(p.src[p.pos:]) }

func (p *parser) takeWhile(fits func(rune) bool) string {
	start := p.pos
	for p.pos < len(p.src) {
		r, size := p.next()
		if !fits(r) {
			break
		}
		p.pos += size
	}
	return p.src[start:p.pos]
}

// blanks goes past white space within the line.
func (p *parser) blanks() {
	p.takeWhile(func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\u00a0' })
}

// spaces goes past white space and line ends.
func (p *parser) spaces() {
	p.takeWhile(func(r rune) bool { return strings.ContainsRune(" \t\r\n\u00a0\ufeff", r) })
}

// ended reports whether a statement can end here.
func (p *parser) ended() bool {
	return p.pos == len(p.src) || p.src[p.pos] == '\n' || p.src[p.pos] == ';'
}

// found says what stands at the current place, for errors.
func (p *parser) found() string {
	if p.pos == len(p.src) {
		return "the end of the diagram"
	}
	if p.src[p.pos] == '\n' {
		return "the end of the line"
	}
	r, _ := p.next()
	return fmt.Sprintf("%q", string(r))
}
