package deck

import (
	"bytes"
	"regexp"
	"strings"

	emoji "github.com/yuin/goldmark-emoji/ast"
	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/util"

	"github.com/fluxdemo/fluxdemo/slides/deck/kramdown"
)

// inlines converts the text of a block or span.
func (c *converter) inlines(parent ast.Node) []Inline {
	nodes := children(parent)
	out, _ := c.run(nodes, "")
	return trimEnds(out)
}

// run converts siblings up to the tag {:/name}, when name is not "". rest is what comes after that.
func (c *converter) run(nodes []ast.Node, name string) (out []Inline, rest []ast.Node) {
	if c.depth >= depthLimit {
		return nil, nil
	}
	c.depth++
	defer func() { c.depth-- }()
	for len(nodes) > 0 {
		n := nodes[0]
		nodes = nodes[1:]
		switch n := n.(type) {
		case *kramdown.Tag:
			if n.Closes {
				if name != "" && (n.Name == name || n.Name == "") {
					return out, nodes
				}
				if n.Name != "nomarkdown" && n.Name != "" {
					c.warnf(c.base+n.Start, "%s closes nothing", n.Raw)
				}
				continue
			}
			var in *Inline
			in, nodes = c.tag(n, nodes)
			if in != nil {
				out = append(out, *in)
			}
		case *kramdown.AttrSpan:
			out = c.spanAttrs(out, n)
		default:
			out = c.inline(out, n)
		}
	}
	return out, nil
}

// tag converts {::name}, with what it contains.
func (c *converter) tag(n *kramdown.Tag, nodes []ast.Node) (*Inline, []ast.Node) {
	switch n.Name {
	case "wait":
		c.pending = true
		return nil, nodes
	case "comment", "options", "nomarkdown":
		if n.Name == "comment" && !n.Single {
			c.errorf(c.base+n.Start, "the comment is not closed: {:/comment} is missing on this line")
		}
		return nil, nodes
	case "note", "tag":
		if n.Single {
			return nil, nodes
		}
		in := &Inline{Kind: Small}
		if n.Name == "tag" {
			in.Kind = Span
			for _, a := range n.Attrs {
				if a.Key == "name" {
					in.Attrs = map[string]string{"class": a.Value}
				}
			}
		}
		if !closes(nodes, n.Name) {
			c.errorf(c.base+n.Start, "%s is not closed: {:/%s} is missing", n.Raw, n.Name)
			return nil, nodes
		}
		in.Inlines, nodes = c.run(nodes, n.Name)
		if len(in.Inlines) == 0 {
			return nil, nodes
		}
		in.Wait = in.Inlines[0].Wait
		return in, nodes
	}
	c.warnf(c.base+n.Start, "unknown tag %s; valid tags: wait, note, comment, tag", n.Name)
	return &Inline{Kind: Text, Text: valid(string(n.Raw)), Wait: c.show()}, nodes
}

// closes reports whether a tag is closed among its siblings.
func closes(nodes []ast.Node, name string) bool {
	for _, n := range nodes {
		if t, ok := n.(*kramdown.Tag); ok && t.Closes && (t.Name == name || t.Name == "") {
			return true
		}
	}
	return false
}

// inline converts one piece and appends it.
func (c *converter) inline(out []Inline, n ast.Node) []Inline {
	in := Inline{}
	switch n := n.(type) {
	case *ast.Text:
		value := n.Segment.Value(c.src)
		words := valid(string(value))
		if !n.IsRaw() {
			words = unmark(value)
		}
		if n.SoftLineBreak() {
			words += " "
		}
		out = c.addText(out, words)
		if n.HardLineBreak() {
			out = append(out, Inline{Kind: LineBreak, Wait: c.waits})
		}
		return out
	case *ast.String:
		return c.addText(out, valid(string(n.Value)))
	case *emoji.Emoji:
		return c.addText(out, string(n.Value.Unicode))
	case *ast.CodeSpan:
		in.Kind, in.Text = CodeSpan, valid(codeText(n, c.src))
	case *ast.Emphasis:
		in.Kind = Emphasis
		if n.Level > 1 {
			in.Kind = Strong
		}
	case *east.Strikethrough:
		in.Kind = Deleted
	case *ast.Link:
		in.Kind, in.Dest, in.Title = Link, unmark(n.Destination), unmark(n.Title)
	case *ast.AutoLink:
		in.Kind, in.Dest = Link, valid(string(n.URL(c.src)))
		if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(in.Dest, "mailto:") {
			in.Dest = "mailto:" + in.Dest
		}
		in.Inlines = []Inline{{Kind: Text, Text: valid(string(n.Label(c.src))), Wait: c.show()}}
	case *ast.Image:
		in.Kind, in.Dest, in.Title = Image, unmark(n.Destination), unmark(n.Title)
		c.image(in.Dest, c.at(n))
	case *east.TaskCheckBox:
		in.Kind = Checkbox
		if n.IsChecked {
			in.Text = "x"
		}
	case *ast.RawHTML:
		in.Kind = RawTag
		var b strings.Builder
		for i := range n.Segments.Len() {
			segment := n.Segments.At(i)
			b.Write(segment.Value(c.src))
		}
		in.Text = b.String()
		c.htmlImages(in.Text, c.at(n))
	default:
		return out
	}
	switch in.Kind {
	case Emphasis, Strong, Deleted, Link, Image:
		if in.Inlines == nil {
			in.Inlines, _ = c.run(children(n), "")
		}
	}
	if len(in.Inlines) > 0 {
		in.Wait = in.Inlines[0].Wait
	} else {
		in.Wait = c.show()
	}
	return append(out, in)
}

// addText appends words to the text before them, unless there is a pause in between.
func (c *converter) addText(out []Inline, words string) []Inline {
	if strings.TrimSpace(words) == "" && (len(out) == 0 || c.pending) { // spaces beside a pause show nothing
		if len(out) == 0 {
			return out
		}
		last := &out[len(out)-1]
		if last.Kind == Text {
			last.Text += words
			return out
		}
		return append(out, Inline{Kind: Text, Text: words, Wait: c.waits})
	}
	if len(out) == 0 || c.pending {
		words = strings.TrimLeft(words, " ")
	}
	wait := c.show()
	if n := len(out); n > 0 && out[n-1].Kind == Text && out[n-1].Wait == wait {
		out[n-1].Text += words
		return out
	}
	return append(out, Inline{Kind: Text, Text: words, Wait: wait})
}

// trimEnds takes spaces and line breaks off the end of a block's text.
func trimEnds(out []Inline) []Inline {
	for n := len(out); n > 0; n = len(out) {
		last := &out[n-1]
		if last.Kind == LineBreak {
			out = out[:n-1]
			continue
		}
		if last.Kind != Text {
			break
		}
		last.Text = strings.TrimRight(last.Text, " ")
		if last.Text != "" {
			break
		}
		out = out[:n-1]
	}
	return out
}

func codeText(n *ast.CodeSpan, src []byte) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if t, ok := child.(*ast.Text); ok {
			b.Write(bytes.ReplaceAll(t.Segment.Value(src), []byte("\n"), []byte(" ")))
		}
	}
	return b.String()
}

var referenceLink = regexp.MustCompile(`\[([^\[\]]+)\]\[([^\[\]]*)\]`)

// deadReferences reports links to references that no slide defines.
func (c *converter) deadReferences(n ast.Node) {
	var code []span
	_ = ast.Walk(n, func(child ast.Node, entering bool) (ast.WalkStatus, error) {
		if span1, ok := child.(*ast.CodeSpan); ok && entering {
			for t := span1.FirstChild(); t != nil; t = t.NextSibling() {
				if t, ok := t.(*ast.Text); ok {
					code = append(code, span{t.Segment.Start, t.Segment.Stop})
				}
			}
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	for i := range n.Lines().Len() {
		line := n.Lines().At(i)
		for _, m := range referenceLink.FindAllSubmatchIndex(line.Value(c.src), -1) {
			start := line.Start + m[0]
			for len(code) > 0 && code[0].end <= start {
				code = code[1:]
			}
			if len(code) > 0 && code[0].start <= start || start > 0 && c.src[start-1] == '\\' {
				continue
			}
			label := c.src[line.Start+m[4] : line.Start+m[5]]
			if len(label) == 0 {
				label = c.src[line.Start+m[2] : line.Start+m[3]]
			}
			if c.references[util.ToLinkReference(label)] == nil {
				c.errorf(c.base+start, "there is no reference [%s]: add a line [%s]: https://...", label, label)
			}
		}
	}
}
