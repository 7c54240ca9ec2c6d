package walk

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// swallowed is a line inside a block that looks like the start of the next one.
var swallowed = regexp.MustCompile("^(```+|~~~+) *[a-z]")

// fence adds a fenced block to the open section.
func (p *reader) fence(n *ast.FencedCodeBlock) {
	b := Block{Role: Listing}
	var attrs []attr
	col := 1
	open := n.Pos()
	if n.Info != nil {
		open = n.Info.Segment.Start
		b.Line, col = p.position(open)
		b.Lang, attrs = splitInfo(p.source, string(n.Info.Segment.Value(p.text)), b.Line, col)
	} else {
		b.Line, _ = p.position(max(open, 0))
	}
	if !p.closed(n, b.Line) {
		p.errorf(b.Line, 1, "the block is not closed: end it with a line of %s", strings.TrimSpace(p.line(b.Line))[:3])
		return
	}
	if b.Lang == "mermaid" {
		b.Role = Diagram
	}
	applyInfo(p.source, &b, attrs, col)

	var body strings.Builder
	var indents []int
	lines := n.Lines()
	for i := range lines.Len() {
		seg := lines.At(i)
		_, c := p.position(seg.Start)
		indents = append(indents, c-1-seg.Padding)
		line := string(seg.Value(p.text))
		body.WriteString(line)
		if run, _ := runnable(b.Lang); run && swallowed.MatchString(line) {
			p.errorf(b.Line, 1, "the block is not closed: line %d starts another one", b.Line+1+i)
			return
		}
	}
	b.Text = body.String()
	if run, _ := runnable(b.Lang); run && !b.text() {
		parseShell(p.source, &b, b.Line+1, indents)
	}
	p.add(b)
}

// closed reports whether the block ends with a fence of its own, and not with the end of the file.
func (p *reader) closed(n *ast.FencedCodeBlock, line int) bool {
	fence := p.line(line + n.Lines().Len() + 1)
	fence = strings.TrimLeft(fence, " \t>")
	return strings.HasPrefix(fence, "```") || strings.HasPrefix(fence, "~~~")
}

// nested reports blocks that would run but are inside a list or a quote, where readers do not expect that.
func (p *reader) nested(n ast.Node) {
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if f, ok := c.(*ast.FencedCodeBlock); ok && entering && f.Info != nil {
			line, col := p.position(f.Info.Segment.Start)
			lang, attrs := splitInfo(p.source, string(f.Info.Segment.Value(p.text)), line, col)
			if run, _ := runnable(lang); run || len(attrs) > 0 {
				p.errorf(line, col, "a block that runs must not be inside a list or a quote")
			}
		}
		return ast.WalkContinue, nil
	})
}
