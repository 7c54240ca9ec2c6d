// Package kramdown adds kramdown's syntax to goldmark: attribute lists {: ...} after blocks and spans, and tags
// {::name}...{:/name}. Its nodes have their offsets; package deck interprets them.
package kramdown

import (
	"bytes"
	"regexp"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	gm "github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// AttrBlock is an attribute list on lines of its own.
type AttrBlock struct {
	ast.BaseBlock
	Start, End int // in the slide's text, braces included
	more       int // lines of it still to come
}

// Kind implements ast.Node. Package deck does not use it.
func (*AttrBlock) Kind() ast.NodeKind { return ast.KindHTMLBlock }

// Dump prints the node for debugging.
func (n *AttrBlock) Dump(src []byte, level int) { ast.DumpHelper(n, src, level, nil, nil) }

// attrBlockParser reads attribute lists on lines of their own.
type attrBlockParser struct{}

func (attrBlockParser) Trigger() []byte { return []byte{'{'} }

func (attrBlockParser) Open(_ ast.Node, reader text.Reader, pc gm.Context) (ast.Node, gm.State) {
	line, segment := reader.PeekLine()
	pos := pc.BlockOffset()
	if pos < 0 || !bytes.HasPrefix(line[pos:], []byte("{:")) {
		return nil, gm.NoChildren
	}
	src := reader.Source()
	start := segment.Start + pos - segment.Padding
	if start < 0 || start >= len(src) {
		return nil, gm.NoChildren
	}
	length := attrEnd(src[start:])
	if length == 0 || !blankToEnd(src[start+length:]) {
		return nil, gm.NoChildren
	}
	reader.AdvanceToEOL()
	n := &AttrBlock{Start: start, End: start + length}
	n.more = bytes.Count(src[n.Start:n.End], []byte("\n"))
	return n, gm.NoChildren
}

func (attrBlockParser) Continue(node ast.Node, reader text.Reader, _ gm.Context) gm.State {
	n := node.(*AttrBlock)
	if n.more == 0 {
		return gm.Close
	}
	n.more--
	reader.AdvanceToEOL()
	return gm.Continue | gm.NoChildren
}

func (attrBlockParser) Close(ast.Node, text.Reader, gm.Context) {}
func (attrBlockParser) CanInterruptParagraph() bool             { return true }
func (attrBlockParser) CanAcceptIndentedLine() bool             { return false }

// blankToEnd reports whether there is nothing but spaces in the rest of the line.
func blankToEnd(text []byte) bool {
	for _, c := range text {
		if c == '\n' {
			return true
		}
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// NoteBlock is what stands between {::note} and {:/note}, each on a line of its own.
type NoteBlock struct {
	ast.BaseBlock
	Start  int // in the slide\'s text
	Closed bool
}

// Kind implements ast.Node. Package deck does not use it.
func (*NoteBlock) Kind() ast.NodeKind { return ast.KindBlockquote }

// Dump prints the node for debugging.
func (n *NoteBlock) Dump(src []byte, level int) { ast.DumpHelper(n, src, level, nil, nil) }

// noteBlockParser reads notes for the presenter.
type noteBlockParser struct{}

func (noteBlockParser) Trigger() []byte { return []byte{'{'} }

func (noteBlockParser) Open(_ ast.Node, reader text.Reader, pc gm.Context) (ast.Node, gm.State) {
	line, segment := reader.PeekLine()
	if pc.BlockOffset() < 0 || string(bytes.TrimSpace(line)) != "{::note}" {
		return nil, gm.NoChildren
	}
	reader.AdvanceToEOL()
	return &NoteBlock{Start: segment.Start}, gm.HasChildren
}

func (noteBlockParser) Continue(node ast.Node, reader text.Reader, _ gm.Context) gm.State {
	line, _ := reader.PeekLine()
	switch string(bytes.TrimSpace(line)) {
	case "{:/note}", "{:/}":
		reader.AdvanceToEOL()
		node.(*NoteBlock).Closed = true
		return gm.Close
	}
	return gm.Continue | gm.HasChildren
}

func (noteBlockParser) Close(ast.Node, text.Reader, gm.Context) {}
func (noteBlockParser) CanInterruptParagraph() bool             { return true }
func (noteBlockParser) CanAcceptIndentedLine() bool             { return false }

// AttrSpan is an attribute list right behind a span, or at the start of a list's item.
type AttrSpan struct {
	ast.BaseInline
	Start int    // in the slide's text
	List  []byte // braces included
}

// Kind implements ast.Node. Package deck does not use it.
func (*AttrSpan) Kind() ast.NodeKind { return ast.KindRawHTML }

// Dump prints the node for debugging.
func (n *AttrSpan) Dump(src []byte, level int) { ast.DumpHelper(n, src, level, nil, nil) }

// Tag is {::name}, {::name/}, {:/name} or {:/}.
type Tag struct {
	ast.BaseInline
	Start  int // in the slide's text
	Raw    []byte
	Name   string // "" in {:/}
	Attrs  []Attr
	Closes bool // {:/name}
	Single bool // {::name/}
}

// Kind implements ast.Node. Package deck does not use it.
func (*Tag) Kind() ast.NodeKind { return ast.KindRawHTML }

// Dump prints the node for debugging.
func (n *Tag) Dump(src []byte, level int) { ast.DumpHelper(n, src, level, nil, nil) }

var (
	openTag  = regexp.MustCompile(`^\{::([a-zA-Z]\w*)((?:[ \t][^{}]*?)?)[ \t]*(/?)\}`)
	closeTag = regexp.MustCompile(`^\{:/([a-zA-Z]\w*)?\}`)
)

// Extension adds the syntax to a goldmark.Markdown.
type Extension struct{}

// Extend implements goldmark.Extender.
func (Extension) Extend(md goldmark.Markdown) {
	md.Parser().AddOptions(
		gm.WithBlockParsers(util.Prioritized(attrBlockParser{}, 50), util.Prioritized(noteBlockParser{}, 51)),
		gm.WithInlineParsers(util.Prioritized(bracesParser{}, 50)),
	)
}

// bracesParser reads attribute lists and tags inside text.
type bracesParser struct{}

func (bracesParser) Trigger() []byte { return []byte{'{'} }

func (bracesParser) Parse(_ ast.Node, block text.Reader, _ gm.Context) ast.Node {
	line, segment := block.PeekLine()
	if len(line) < 3 || line[1] != ':' {
		return nil
	}
	switch line[2] {
	case ':':
		m := openTag.FindSubmatch(line)
		if m == nil {
			return nil
		}
		n := &Tag{Start: segment.Start, Raw: m[0], Name: string(m[1]), Single: len(m[3]) > 0}
		n.Attrs = ParseAttrs(append(append([]byte("{:"), m[2]...), '}'))
		block.Advance(len(m[0]))
		if n.Name == "comment" && !n.Single {
			return skipComment(n, block, line[len(m[0]):])
		}
		return n
	case '/':
		m := closeTag.FindSubmatch(line)
		if m == nil {
			return nil
		}
		block.Advance(len(m[0]))
		return &Tag{Start: segment.Start, Raw: m[0], Name: string(m[1]), Closes: true}
	}
	// It may go on over the next lines of the text.
	raw := bytes.Clone(line[:min(len(line), attrLimit)])
	saved, position := block.Position()
	for lines := 1; attrEnd(raw) == 0; lines++ {
		if raw[len(raw)-1] != '\n' {
			block.SetPosition(saved, position)
			return nil
		}
		block.AdvanceLine()
		next, _ := block.PeekLine()
		if next == nil || lines > 10 || len(raw) > attrLimit {
			block.SetPosition(saved, position)
			return nil
		}
		raw = append(raw, next...)
	}
	end := attrEnd(raw)
	lastLine := bytes.LastIndexByte(raw[:end], '\n') + 1
	block.Advance(end - lastLine)
	return &AttrSpan{Start: segment.Start, List: raw[:end]}
}

// skipComment takes a comment inside a line out of the text, with its tags.
func skipComment(n *Tag, block text.Reader, rest []byte) ast.Node {
	end := -1
	for _, closing := range []string{"{:/comment}", "{:/}"} {
		if at := bytes.Index(rest, []byte(closing)); at >= 0 && (end < 0 || at+len(closing) < end) {
			end = at + len(closing)
		}
	}
	if end >= 0 {
		block.Advance(end)
		n.Single = true
	}
	return n
}
