package deck

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	ghtml "github.com/yuin/goldmark/renderer/html"

	"github.com/fluxdemo/fluxdemo/slides/deck/kramdown"
	"github.com/fluxdemo/fluxdemo/slides/deck/mojibake"
)

// depthLimit is how deep blocks and spans may be nested. What is deeper is left out, and reported.
const depthLimit = 40

// converter turns one slide's Markdown tree into the model.
type converter struct {
	*parser
	src  []byte // the slide's text
	base int    // where it starts in the file

	out     *Slide
	waits   int  // pauses so far
	pending bool // a pause was written, and nothing after it yet
	depth   int
	deep    bool              // the limit was reported
	walked  bool              // the slide names a walk
	lead    map[string]string // the attribute list at the start of the current paragraph
}

// section is the part of a slide that blocks go to.
type section int

const (
	body section = iota
	notes
	properties
)

// slide converts a whole slide. doc is nil when the slide is too long to be read.
func (c *converter) slide(doc ast.Node, cover bool) Slide {
	s := Slide{Cover: cover, html: c.html}
	c.out = &s
	s.Line, _ = c.position(c.base)
	if doc == nil {
		title, _, _ := strings.Cut(string(c.src[:min(len(c.src), 200)]), "\n")
		s.Title = mojibake.Repair(strings.Trim(strings.ToValidUTF8(title, ""), "# "))
		s.heading = []Inline{{Kind: Text, Text: s.Title}}
		s.ID = c.id(s.Title, "")
		const most = 2000
		s.Blocks = []Block{{Kind: Source, Line: s.Line, Text: strings.ToValidUTF8(string(c.src[:min(len(c.src), most)]), "") + " …"}}
		return s
	}
	first := doc.FirstChild()
	var aboveTitle *kramdown.AttrBlock
	if list, ok := first.(*kramdown.AttrBlock); ok && first.NextSibling() != nil {
		aboveTitle, first = list, first.NextSibling()
	}
	titled := false
	if h, ok := first.(*ast.Heading); ok && h.Level == 1 {
		titled = true
		c.title(h, aboveTitle)
	} else {
		first = doc.FirstChild()
		s.ID = c.id("", "")
		if first != nil {
			c.warnf(c.base+c.at(first), "this is before the first title: start a slide with a line # Title")
		}
	}
	c.sections(first, titled)
	s.Waits = c.waits
	c.endNotes()
	return s
}

// title reads the slide's heading, and the attribute lists above and below it.
func (c *converter) title(h *ast.Heading, above *kramdown.AttrBlock) {
	s := c.out
	s.Line, _ = c.position(c.base + c.at(h))
	s.heading = c.inlines(h)
	wanted := ""
	s.heading, wanted = headingID(s.heading)
	s.Title = plain(s.heading)
	// A pause in a title would hide what the slide is about.
	c.waits, c.pending = 0, false
	clearWaits(s.heading)
	if above != nil {
		wanted = c.slideAttrs(above, wanted)
	}
	if below, ok := h.NextSibling().(*kramdown.AttrBlock); ok && !c.blankAbove(below) {
		wanted = c.slideAttrs(below, wanted)
	}
	s.ID = c.id(s.Title, wanted)
	if s.Title == "" {
		c.warnf(c.base+c.at(h), "the slide has no title")
	}
}

// slideAttrs applies an attribute list to the whole slide. It returns the ID that the slide shall have.
func (c *converter) slideAttrs(n *kramdown.AttrBlock, wanted string) string {
	attrs := c.attrs(c.src[n.Start:n.End], n.Start)
	for key, value := range attrs {
		switch key {
		case "id":
			wanted = notWord.ReplaceAllString(value, "-")
		case "walk", "coming", "chart", "slo":
		default:
			c.property(key, value)
		}
	}
	c.takeWalk(attrs, n.Start, 0)
	c.takeChart(attrs, n.Start)
	return wanted
}

func (c *converter) property(key, value string) {
	if c.out.Properties == nil {
		c.out.Properties = map[string]string{}
	}
	c.out.Properties[key] = value
}

// headingID takes kramdown's {#id} off the end of a title.
func headingID(heading []Inline) ([]Inline, string) {
	if len(heading) == 0 {
		return heading, ""
	}
	last := &heading[len(heading)-1]
	if last.Kind != Text || !strings.HasSuffix(last.Text, "}") {
		return heading, ""
	}
	at := strings.LastIndex(last.Text, "{#")
	if at < 0 {
		return heading, ""
	}
	id := strings.Trim(notWord.ReplaceAllString(last.Text[at+2:len(last.Text)-1], "-"), "-")
	last.Text = strings.TrimRight(last.Text[:at], " ")
	return heading, id
}

func clearWaits(inlines []Inline) {
	for i := range inlines {
		inlines[i].Wait = 0
		clearWaits(inlines[i].Inlines)
	}
}

// sections converts what follows the title: the slide's body, and its subsections for notes and properties.
func (c *converter) sections(first ast.Node, titled bool) {
	if titled {
		first = first.NextSibling()
		if list, ok := first.(*kramdown.AttrBlock); ok && !c.blankAbove(list) {
			first = first.NextSibling()
		}
	}
	part := body
	var list []ast.Node // of the part
	flush := func() {
		switch part {
		case body:
			c.out.Blocks = append(c.out.Blocks, c.blocks(list)...)
		case notes:
			c.noteSection(list)
		case properties:
			c.propertySection(list)
		}
		list = nil
	}
	for n := first; n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok && h.Level <= 2 {
			if next := c.partOf(h); next != body {
				flush()
				part = next
				continue
			} else if part != body {
				flush()
				part = body
			}
		}
		list = append(list, n)
	}
	flush()
}

// partOf says what a subsection is for. To Rabbit all but Note are properties; here that is so when there is nothing
// but a definition list in it, so that other headings show.
func (c *converter) partOf(h *ast.Heading) section {
	switch strings.ToLower(plain(c.quietly(h))) {
	case "note", "notes":
		return notes
	case "property", "properties":
		return properties
	}
	found := false
	for n := h.NextSibling(); n != nil; n = n.NextSibling() {
		if next, ok := n.(*ast.Heading); ok && next.Level <= 2 {
			break
		}
		if _, ok := n.(*east.DefinitionList); !ok {
			return body
		}
		found = true
	}
	if found {
		return properties
	}
	return body
}

// quietly converts text that is not shown: it reports nothing and counts no pauses.
func (c *converter) quietly(n ast.Node) []Inline {
	problems, waits, pending := len(c.problems), c.waits, c.pending
	inlines := c.inlines(n)
	c.problems, c.waits, c.pending = c.problems[:problems], waits, pending
	return inlines
}

// noteSection makes the notes of a ## Note section. A pause in it moves on to the slide's next pause.
func (c *converter) noteSection(list []ast.Node) {
	waits, pending := c.waits, c.pending
	c.waits, c.pending = 0, false
	for _, b := range c.blocks(list) {
		if b.Kind != Bullets && b.Kind != Numbers {
			c.addNote(b.Wait, b)
			continue
		}
		for i, item := range b.Blocks {
			part := b
			part.Blocks, part.Start = []Block{item}, b.Start+i
			c.addNote(item.Wait, part)
		}
	}
	c.waits, c.pending = waits, pending
}

func (c *converter) addNote(wait int, blocks ...Block) {
	for i := range blocks {
		clearBlockWaits(&blocks[i])
	}
	c.out.Notes = append(c.out.Notes, Note{Wait: wait, Blocks: blocks, html: c.html})
}

func clearBlockWaits(b *Block) {
	b.Wait = 0
	clearWaits(b.Inlines)
	for i := range b.Blocks {
		clearBlockWaits(&b.Blocks[i])
	}
}

// endNotes puts the notes in the order in which they show, one for each pause that has any. What waits for a pause
// that does not come shows with the last one.
func (c *converter) endNotes() {
	for i := range c.out.Notes {
		if n := &c.out.Notes[i]; n.Wait > c.waits {
			c.problems = append(c.problems, Problem{c.file, c.out.Line, 1, Warning, fmt.Sprintf("the notes have more pauses than the slide, which has %d", c.waits)})
			n.Wait = c.waits
		}
	}
	slices.SortStableFunc(c.out.Notes, func(a, b Note) int { return a.Wait - b.Wait })
	var merged []Note
	for _, n := range c.out.Notes {
		if last := len(merged) - 1; last >= 0 && merged[last].Wait == n.Wait {
			merged[last].Blocks = append(merged[last].Blocks, n.Blocks...)
			continue
		}
		merged = append(merged, n)
	}
	c.out.Notes = merged
}

func (c *converter) propertySection(list []ast.Node) {
	waits, pending := c.waits, c.pending
	for _, b := range c.blocks(list) {
		if b.Kind != Definitions {
			continue
		}
		terms, texts, _ := definitions(b)
		for i, term := range terms {
			c.property(term, texts[i])
			if term == "background-image" {
				c.image(texts[i], c.at(list[0]))
			}
		}
	}
	c.waits, c.pending = waits, pending
}

// at returns where a node starts in the slide's text.
func (c *converter) at(n ast.Node) int {
	if pos := n.Pos(); pos >= 0 && pos <= len(c.src) {
		return pos
	}
	if n.Type() == ast.TypeBlock && n.Lines() != nil && n.Lines().Len() > 0 {
		return n.Lines().At(0).Start
	}
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if at := c.at(child); at > 0 {
			return at
		}
	}
	return 0
}

// unmark returns what a piece of Markdown text says, with escapes, entities and wrong charsets resolved.
func unmark(raw []byte) string {
	if bytes.IndexByte(raw, '\\') >= 0 || bytes.IndexByte(raw, '&') >= 0 {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		ghtml.DefaultWriter.Write(w, raw)
		_ = w.Flush() // to memory
		raw = []byte(html.UnescapeString(b.String()))
	}
	return valid(string(raw))
}

// valid returns text that is UTF-8, with wrong charsets resolved.
func valid(s string) string { return mojibake.Repair(strings.ToValidUTF8(s, "\uFFFD")) }
