package deck

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	emoji "github.com/yuin/goldmark-emoji"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	gm "github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/fluxdemo/fluxdemo/slides/deck/kramdown"
	"github.com/fluxdemo/fluxdemo/slides/deck/mojibake"
)

// Load reads a deck from a file, with its sidecar and the images that it names. The error says that the file cannot
// be read; mistakes in it are the deck's Problems.
func Load(file string) (*Deck, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the deck: %w", err)
	}
	d := Parse(file, raw)
	if err := d.readSidecar(); err != nil {
		return nil, err
	}
	d.findAssets()
	sortProblems(d.Problems)
	return d, nil
}

// Parse reads a deck. file is shown in messages. It takes time in proportion to the length of the text, whatever is
// in it.
func Parse(file string, raw []byte) *Deck {
	p := newParser(file, raw)
	p.parse(raw)
	return p.deck
}

func newParser(file string, raw []byte) *parser {
	return &parser{
		source: newSource(file, clean(raw)),
		deck:   &Deck{File: file},
		md:     newMarkdown(),
		ids:    map[string]int{},
		lists:  map[string][]kramdown.Attr{},
		metaAt: map[string]int{},
		html:   newRenderer(),

		references: map[string]gm.Reference{},
	}
}

func (p *parser) parse(raw []byte) {
	p.checkText(raw)
	slides, comments := split(p.source)
	p.blankComments(comments, slides)
	p.parseSlides(slides)
	sortProblems(p.problems)
	p.deck.Problems = p.problems
}

// clean returns a copy of the text in which every line has the same end, so that lines and columns are the same on
// every system.
func clean(raw []byte) []byte {
	raw = bytes.Clone(bytes.TrimPrefix(raw, []byte("\ufeff")))
	if bytes.IndexByte(raw, '\r') >= 0 {
		raw = bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		raw = bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	}
	return raw
}

// parser turns a deck's text into its model, slide by slide.
type parser struct {
	*source
	deck   *Deck
	md     gm.Parser
	ids    map[string]int             // of the slides so far -> how many wanted to have it
	lists  map[string][]kramdown.Attr // attribute lists with a name
	metaAt map[string]int             // offset of the title slide's facts
	html   *renderer

	references map[string]gm.Reference // of all slides, by normalized label
}

// newMarkdown returns a parser for kramdown's dialect.
func newMarkdown() gm.Parser {
	md := goldmark.New(
		goldmark.WithExtensions(
			extension.Table, extension.Strikethrough, extension.TaskList, extension.DefinitionList, emoji.Emoji, kramdown.Extension{},
			extension.NewTypographer(extension.WithTypographicSubstitutions(map[extension.TypographicPunctuation]string{
				extension.LeftSingleQuote: "‘", extension.RightSingleQuote: "’",
				extension.LeftDoubleQuote: "“", extension.RightDoubleQuote: "”",
				extension.EnDash: "–", extension.EmDash: "—", extension.Ellipsis: "…",
				extension.LeftAngleQuote: "«", extension.RightAngleQuote: "»", extension.Apostrophe: "’",
			})),
		),
	)
	return md.Parser()
}

// checkText reports what is wrong with the characters of the file.
func (p *parser) checkText(raw []byte) {
	if bytes.HasPrefix(raw, []byte{0xff, 0xfe}) || bytes.HasPrefix(raw, []byte{0xfe, 0xff}) {
		p.errorf(0, "the file is UTF-16: save it as UTF-8")
		return
	}
	for i := range p.lines {
		line := p.line(i)
		if isASCII(line) {
			continue
		}
		start := p.lines[i]
		if !utf8.Valid(line) {
			at := 0
			for at < len(line) {
				if r, size := utf8.DecodeRune(line[at:]); r == utf8.RuneError && size == 1 {
					break
				} else {
					at += size
				}
			}
			p.errorf(start+at, "this byte is not UTF-8: save the file as UTF-8")
			continue
		}
		text := string(line)
		for _, g := range mojibake.Find(text) {
			p.warnf(start+g.Offset, "%q was decoded with the wrong charset; it shows as %q", g.Text, g.Meant)
		}
		if at := strings.IndexRune(text, utf8.RuneError); at >= 0 {
			p.warnf(start+at, "a character was lost when the text was decoded with the wrong charset")
		}
	}
}

func isASCII(text []byte) bool {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// blankComments overwrites comments with spaces, so that nothing after this sees them and positions stay. A comment
// that is not closed ends with its slide.
func (p *parser) blankComments(comments, slides []span) {
	at := 0
	for _, c := range comments {
		for len(slides) > 1 && slides[0].end <= c.start {
			slides = slides[1:]
		}
		for at = max(at, c.start); at < min(c.end, slides[0].end); at++ {
			if p.text[at] != '\n' {
				p.text[at] = ' '
			}
		}
	}
}

// parseSlides makes a slide of each piece. References are the only thing that slides share: a link may be defined in
// any of them.
func (p *parser) parseSlides(spans []span) {
	for _, s := range spans {
		text := p.part(s)
		if !bytes.Contains(text, []byte("]:")) || p.tooMuch(s) != "" {
			continue
		}
		ctx := gm.NewContext()
		p.tree(text, ctx)
		for _, ref := range ctx.References() {
			if label := util.ToLinkReference(ref.Label()); p.references[label] == nil {
				p.references[label] = ref
			}
		}
	}
	for i, s := range spans {
		text := p.part(s)
		c := &converter{parser: p, src: text, base: s.start}
		var doc ast.Node
		if tooMuch := p.tooMuch(s); tooMuch != "" {
			p.errorf(s.start, "%s: the slide shows as plain text, and is cut", tooMuch)
		} else {
			doc = p.tree(text, &context{gm.NewContext(), p.references})
		}
		p.deck.Slides = append(p.deck.Slides, c.slide(doc, i == 0))
	}
	first := &p.deck.Slides[0]
	p.deck.Title = first.Title
	p.takeMeta(first)
}

func (p *parser) tree(slide []byte, ctx gm.Context) ast.Node {
	return p.md.Parse(text.NewReader(slide), gm.WithContext(ctx))
}

// context knows the references of all slides.
type context struct {
	gm.Context
	references map[string]gm.Reference
}

// Reference returns what a label stands for, in this slide or any other.
func (c *context) Reference(label string) (gm.Reference, bool) {
	if ref, ok := c.Context.Reference(label); ok {
		return ref, true
	}
	ref, ok := c.references[label]
	return ref, ok
}

// tooMuch returns why a slide is too long to show; "" if it is not.
func (p *parser) tooMuch(s span) string {
	if s.end-s.start > slideLimit {
		return fmt.Sprintf("the slide has %d bytes, and the limit is %d", s.end-s.start, slideLimit)
	}
	if at := crowded(p.part(s)); at >= 0 {
		line, _ := p.position(s.start + at)
		return fmt.Sprintf("the paragraph on line %d has more than %d lines and marks such as * or [", line, marksLimit)
	}
	return ""
}

// marksLimit is how many lines, and characters with a meaning in Markdown, a paragraph may have. The time to read one
// grows with their square.
const marksLimit = 1000

// crowded returns where a paragraph with too many marks starts, or -1. Fenced blocks do not count.
func crowded(slide []byte) int {
	var fence []byte
	start, count := 0, 0
	for at := 0; at < len(slide); {
		end := len(slide)
		if i := bytes.IndexByte(slide[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		line := bytes.TrimSpace(slide[at:end])
		switch {
		case fence != nil:
			if bytes.HasPrefix(line, fence) {
				fence = nil
			}
			count = 0
		case fenceLine.Match(line):
			fence = line[:3]
		case len(line) == 0:
			count = 0
		default:
			if count == 0 {
				start = at
			}
			count++
			for _, c := range line {
				if strings.IndexByte("[]()*_~<>`\"'{}&|:!", c) >= 0 {
					count++
				}
			}
			if count > marksLimit {
				return start
			}
		}
		at = end
	}
	return -1
}

var notWord = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// id returns a slide's ID, which no other slide has.
func (p *parser) id(title, wanted string) string {
	slug := strings.Trim(notWord.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if wanted != "" {
		slug = wanted
	}
	const most = 60
	if len(slug) > most {
		slug = strings.TrimRight(strings.ToValidUTF8(slug[:most], ""), "-")
	}
	if slug == "" {
		slug = "slide"
	}
	id := slug
	for p.ids[id] > 0 {
		p.ids[slug]++
		id = fmt.Sprintf("%s-%d", slug, p.ids[slug])
	}
	p.ids[id]++
	return id
}

// keys returns the keys of a map in order.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
