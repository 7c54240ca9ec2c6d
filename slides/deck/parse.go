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
	d := &Deck{File: file}
	p := &parser{
		source: newSource(file, clean(raw)),
		deck:   d,
		md:     newMarkdown(),
		ids:    map[string]int{},
		lists:  map[string][]attr{},
		metaAt: map[string]int{},
		html:   newRenderer(),
	}
	p.checkText(raw)
	slides, comments := split(p.source)
	p.blankComments(comments, slides)
	p.parseSlides(slides)
	sortProblems(p.problems)
	d.Problems = p.problems
	return d
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
	ids    map[string]int    // of the slides so far -> how many wanted to have it
	lists  map[string][]attr // attribute lists with a name
	metaAt map[string]int    // offset of the title slide's facts
	html   *renderer
}

// newMarkdown returns a parser for kramdown's dialect.
func newMarkdown() gm.Parser {
	md := goldmark.New(
		goldmark.WithExtensions(
			extension.Table, extension.Strikethrough, extension.TaskList, extension.DefinitionList, emoji.Emoji,
			extension.NewTypographer(extension.WithTypographicSubstitutions(map[extension.TypographicPunctuation]string{
				extension.LeftSingleQuote: "‘", extension.RightSingleQuote: "’",
				extension.LeftDoubleQuote: "“", extension.RightDoubleQuote: "”",
				extension.EnDash: "–", extension.EmDash: "—", extension.Ellipsis: "…",
				extension.LeftAngleQuote: "«", extension.RightAngleQuote: "»", extension.Apostrophe: "’",
			})),
		),
		goldmark.WithParserOptions(
			gm.WithBlockParsers(util.Prioritized(attrBlockParser{}, 50), util.Prioritized(noteBlockParser{}, 51)),
			gm.WithInlineParsers(util.Prioritized(bracesParser{}, 50)),
		),
	)
	return md.Parser()
}

// checkText reports what is wrong with the characters of the file.
func (p *parser) checkText(raw []byte) {
	if bytes.HasPrefix(raw, []byte{0xff, 0xfe}) || bytes.HasPrefix(raw, []byte{0xfe, 0xff}) {
		p.errorf(0, "this is UTF-16: save the file as UTF-8")
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
		for _, g := range findGarbled(text) {
			p.warnf(start+g.offset, "%q was decoded with the wrong charset; it is shown as %q", g.text, g.meant)
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
	for _, c := range comments {
		for len(slides) > 1 && slides[0].end <= c.start {
			slides = slides[1:]
		}
		end := min(c.end, slides[0].end)
		for i := c.start; i < end; i++ {
			if p.text[i] != '\n' {
				p.text[i] = ' '
			}
		}
	}
}

// parseSlides makes a slide of each piece. References are the only thing that slides share: a link may be defined in
// any of them.
func (p *parser) parseSlides(spans []span) {
	docs := make([]ast.Node, len(spans))
	contexts := make([]gm.Context, len(spans))
	var shared []gm.Reference
	known := map[string]bool{}
	for i, s := range spans {
		if p.tooLong(s) {
			continue
		}
		contexts[i] = gm.NewContext()
		docs[i] = p.md.Parse(text.NewReader(p.text[s.start:s.end]), gm.WithContext(contexts[i]))
		for _, ref := range contexts[i].References() {
			label := util.ToLinkReference(ref.Label())
			if !known[label] {
				known[label] = true
				shared = append(shared, ref)
			}
		}
	}
	for i, s := range spans {
		doc := docs[i]
		if doc != nil && len(shared) > len(contexts[i].References()) && bytes.IndexByte(p.text[s.start:s.end], ']') >= 0 {
			ctx := gm.NewContext()
			for _, ref := range shared {
				ctx.AddReference(ref)
			}
			doc = p.md.Parse(text.NewReader(p.text[s.start:s.end]), gm.WithContext(ctx))
		}
		c := &converter{parser: p, src: p.text[s.start:s.end], base: s.start, references: known}
		p.deck.Slides = append(p.deck.Slides, c.slide(doc, i == 0))
	}
	if len(p.deck.Slides) > 0 {
		first := &p.deck.Slides[0]
		p.deck.Title = first.Title
		p.takeMeta(first)
	}
}

// tooLong reports whether a piece is no slide that anybody could show.
func (p *parser) tooLong(s span) bool {
	if s.end-s.start <= slideLimit {
		return false
	}
	p.errorf(s.start, "the slide has %d bytes, and %d is the most: it is shown as it is written, and cut", s.end-s.start, slideLimit)
	return true
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
