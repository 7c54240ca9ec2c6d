package walk

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"
)

// span returns where the text of a node starts and stops in the source; -1, -1 when it has none.
func span(n ast.Node) (start, stop int) {
	start, stop = -1, -1
	grow := func(from, to int) {
		if start < 0 || from < start {
			start = from
		}
		stop = max(stop, to)
	}
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering && c.Type() == ast.TypeBlock {
			lines := c.Lines()
			for i := range lines.Len() {
				grow(lines.At(i).Start, lines.At(i).Stop)
			}
		}
		return ast.WalkContinue, nil
	})
	return start, stop
}

// plain returns the text of a node without its Markdown marks; code keeps its backquotes, since a terminal has
// no other way to tell a command from a word.
func plain(n ast.Node, src []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		switch c := c.(type) {
		case *ast.CodeSpan:
			b.WriteByte('`')
		case *ast.Text:
			if entering {
				b.Write(c.Segment.Value(src))
				if c.SoftLineBreak() || c.HardLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.String:
			if entering {
				b.Write(c.Value)
			}
		case *ast.AutoLink:
			if entering {
				b.Write(c.URL(src))
			}
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// Paragraph is a piece of narration as plain text.
type Paragraph struct {
	Bullet string // "- " or "1. " for an item of a list, otherwise ""
	Text   string // one line, however long
}

// Paragraphs returns the block's text as plain text, for a terminal: narration without its Markdown marks, and a text for
// learners as it is. Other blocks have none.
func (b *Block) Paragraphs() []Paragraph {
	if b.text() {
		var out []Paragraph
		for _, p := range strings.Split(strings.TrimSpace(b.Text), "\n\n") {
			out = append(out, Paragraph{Text: strings.Join(strings.Fields(p), " ")})
		}
		return out
	}
	if b.Role != Prose {
		return nil
	}
	src := []byte(b.Text)
	var out []Paragraph
	doc := goldmark.DefaultParser().Parse(text.NewReader(src))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || n.Type() != ast.TypeBlock {
			return ast.WalkContinue, nil
		}
		switch n.(type) {
		case *ast.Paragraph, *ast.TextBlock, *ast.Heading:
			p := Paragraph{Text: plain(n, src)}
			if _, item := n.Parent().(*ast.ListItem); item && n.PreviousSibling() == nil {
				p.Bullet = "- "
			}
			out = append(out, p)
			return ast.WalkSkipChildren, nil
		case *ast.CodeBlock, *ast.FencedCodeBlock:
			for i := range n.Lines().Len() {
				seg := n.Lines().At(i)
				out = append(out, Paragraph{Text: strings.TrimRight(string(seg.Value(src)), "\n")})
			}
		}
		return ast.WalkContinue, nil
	})
	return out
}
