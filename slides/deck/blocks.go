package deck

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"

	"github.com/fluxdemo/fluxdemo/slides/deck/kramdown"
)

// blocks converts siblings. An attribute list belongs to the block right above it, else to the one right below it.
func (c *converter) blocks(siblings []ast.Node) []Block {
	if c.depth >= depthLimit {
		if !c.deep && len(siblings) > 0 {
			c.deep = true
			c.errorf(c.base+c.at(siblings[0]), "blocks nested deeper than %d levels do not show", depthLimit)
		}
		return nil
	}
	c.depth++
	defer func() { c.depth-- }()
	var out []Block
	var ahead *kramdown.AttrBlock // a list that waits for its block
	for _, n := range siblings {
		if list, ok := n.(*kramdown.AttrBlock); ok {
			switch {
			case c.defines(list):
			case len(out) > 0 && !c.blankAbove(list):
				c.give(&out[len(out)-1], list)
			default:
				ahead = list
			}
			continue
		}
		b, ok := c.block(n)
		if !ok {
			continue
		}
		if ahead != nil {
			c.give(&b, ahead)
			ahead = nil
		}
		out = append(out, b)
	}
	if ahead != nil {
		c.warnf(c.base+ahead.Start, "the attribute list belongs to nothing: put it directly below a block")
	}
	return out
}

// blankAbove reports whether the line above an attribute list is blank.
func (c *converter) blankAbove(n *kramdown.AttrBlock) bool {
	line := bytes.LastIndexByte(c.src[:n.Start], '\n') + 1
	if line == 0 {
		return true
	}
	above := c.src[:line-1]
	above = above[bytes.LastIndexByte(above, '\n')+1:]
	return len(bytes.Trim(above, " \t>")) == 0
}

func children(n ast.Node) []ast.Node {
	var out []ast.Node
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		out = append(out, child)
	}
	return out
}

// block converts one block. ok is false when there is nothing to show.
func (c *converter) block(n ast.Node) (b Block, ok bool) {
	b.Line, _ = c.position(c.base + c.at(n))
	switch n := n.(type) {
	case *ast.Paragraph:
		return c.paragraph(b, n, Paragraph)
	case *ast.TextBlock:
		return c.paragraph(b, n, Plain)
	case *ast.Heading:
		b.Kind, b.Level = Heading, n.Level
		b.Inlines = c.inlines(n)
		return c.started(b, len(b.Inlines) > 0)
	case *ast.List:
		b.Kind = Bullets
		if n.IsOrdered() {
			b.Kind, b.Start = Numbers, n.Start
		}
		return c.container(b, n)
	case *ast.ListItem:
		b.Kind = Item
		b, ok = c.container(b, n)
		if ok && b.Blocks[0].Kind == Plain { // which has no element of its own
			b.Attrs, b.Blocks[0].Attrs = b.Blocks[0].Attrs, nil
		}
		return b, ok
	case *ast.Blockquote:
		b.Kind = Quote
		return c.container(b, n)
	case *kramdown.NoteBlock:
		c.note(n)
		return b, false
	case *ast.FencedCodeBlock:
		return c.fence(b, n), true
	case *ast.CodeBlock:
		b.Kind, b.Text, b.textLine = Code, c.lines(n), b.Line
		return c.started(b, true)
	case *ast.ThematicBreak:
		b.Kind = Rule
		return c.started(b, true)
	case *ast.HTMLBlock:
		b.Kind, b.Text = RawHTML, c.lines(n)
		if n.HasClosure() {
			b.Text += string(n.ClosureLine.Value(c.src))
		}
		c.htmlImages(b.Text, c.at(n))
		return c.started(b, true)
	case *east.DefinitionList:
		b.Kind = Definitions
		return c.container(b, n)
	case *east.DefinitionTerm:
		b.Kind = Term
		b.Inlines = c.inlines(n)
		return c.started(b, true)
	case *east.DefinitionDescription:
		b.Kind = Definition
		return c.container(b, n)
	case *east.Table:
		b.Kind = Table
		return c.container(b, n)
	case *east.TableHeader:
		b.Kind, b.Level = Row, 1
		return c.container(b, n)
	case *east.TableRow:
		b.Kind = Row
		return c.container(b, n)
	case *east.TableCell:
		b.Kind = Cell
		if n.Alignment != east.AlignNone {
			b.Align = n.Alignment.String()
		}
		b.Inlines = c.inlines(n)
		return c.started(b, true)
	}
	return b, false // link definitions
}

// started says after how many pauses a block shows: as many as its first piece.
func (c *converter) started(b Block, shows bool) (Block, bool) {
	switch {
	case len(b.Inlines) > 0:
		b.Wait = b.Inlines[0].Wait
	case len(b.Blocks) > 0:
		b.Wait = b.Blocks[0].Wait
	case shows:
		b.Wait = c.show()
	}
	return b, shows
}

// show counts the pauses that were written since something was shown last as one, and returns how many there are.
func (c *converter) show() int {
	if c.pending {
		c.waits++
		c.pending = false
	}
	return c.waits
}

func (c *converter) container(b Block, n ast.Node) (Block, bool) {
	b.Blocks = c.blocks(children(n))
	return c.started(b, len(b.Blocks) > 0)
}

func (c *converter) paragraph(b Block, n ast.Node, kind BlockKind) (Block, bool) {
	b.Kind = kind
	c.deadReferences(n)
	c.lead = nil
	b.Inlines = c.inlines(n)
	b.Attrs, c.lead = c.lead, nil
	if len(b.Inlines) == 1 && b.Inlines[0].Kind == Image {
		b.Kind = Figure
		merge(&b.Attrs, b.Inlines[0].Attrs)
	}
	return c.started(b, len(b.Inlines) > 0)
}

// note keeps a {::note} block for the presenter, at the pause where it stands.
func (c *converter) note(n *kramdown.NoteBlock) {
	if !n.Closed {
		c.errorf(c.base+n.Start, "the note is not closed: end it with a line {:/note}")
	}
	waits, pending := c.waits, c.pending
	wait := waits
	if pending {
		wait++
	}
	blocks := c.blocks(children(n))
	c.waits, c.pending = waits, pending
	if len(blocks) > 0 {
		c.addNote(wait, blocks...)
	}
}

// lines returns the text of a block of code.
func (c *converter) lines(n ast.Node) string {
	var b strings.Builder
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		b.Write(segment.Value(c.src))
	}
	return valid(b.String())
}

func (c *converter) fence(b Block, n *ast.FencedCodeBlock) Block {
	b.Kind, b.Text = Code, c.lines(n)
	b.Wait = c.show()
	if n.Info != nil {
		b.Lang = strings.ToLower(string(n.Language(c.src)))
	}
	b.textLine = b.Line + 1
	c.closed(n)
	if b.Lang == mermaid {
		c.diagram(&b)
	}
	return b
}

// mermaid is the language of diagrams.
const mermaid = "mermaid"

// diagram makes a block of code one of the slide's diagrams.
func (c *converter) diagram(b *Block) {
	id := fmt.Sprintf("%s-%d", c.out.ID, len(c.out.Diagrams)+1)
	c.out.Diagrams = append(c.out.Diagrams, Diagram{ID: id, Source: b.Text, Line: b.textLine})
	b.Kind, b.Text = Mermaid, id
}

// closed reports a fenced block that does not end with a fence of its own, or that goes on over the start of another.
func (c *converter) closed(n *ast.FencedCodeBlock) {
	open := c.at(n)
	line := c.src[open:]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	line = bytes.TrimLeft(line, " \t")
	if len(line) == 0 {
		return
	}
	width := len(line) - len(bytes.TrimLeft(line, string(line[:1])))
	after := open + len(line)
	for i := range n.Lines().Len() {
		segment := n.Lines().At(i)
		after = segment.Stop
		text := bytes.TrimLeft(segment.Value(c.src), " ")
		if bytes.HasPrefix(text, line[:width]) && len(bytes.TrimSpace(text)) > width && fenceLine.Match(bytes.TrimRight(text, "\n")) {
			other, _ := c.position(c.base + segment.Start)
			c.errorf(c.base+open, "the block is not closed: line %d starts another one", other)
			return
		}
	}
	rest := bytes.TrimPrefix(c.src[min(after, len(c.src)):], []byte("\n"))
	if end := bytes.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	if !bytes.HasPrefix(bytes.TrimLeft(rest, " \t>"), line[:width]) {
		c.errorf(c.base+open, "the block is not closed: end it with a line of %s", line[:width])
	}
}
