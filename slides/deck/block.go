package deck

import "strings"

// BlockKind says what a block is.
type BlockKind string

// The kinds of blocks.
const (
	Paragraph   BlockKind = "paragraph"
	Plain       BlockKind = "plain" // text without a paragraph of its own, such as an item of a tight list
	Heading     BlockKind = "heading"
	Bullets     BlockKind = "bullets"
	Numbers     BlockKind = "numbers"
	Item        BlockKind = "item"
	Quote       BlockKind = "quote"
	Code        BlockKind = "code"
	Mermaid     BlockKind = "mermaid"
	Figure      BlockKind = "figure" // an image that stands on its own
	Table       BlockKind = "table"
	Row         BlockKind = "row"
	Cell        BlockKind = "cell"
	Definitions BlockKind = "definitions"
	Term        BlockKind = "term"
	Definition  BlockKind = "definition"
	Rule        BlockKind = "rule"
	RawHTML     BlockKind = "html"
	Source      BlockKind = "source" // shown as it is written, because it cannot be read
)

// Block is a piece of a slide: text, or a container of other blocks.
type Block struct {
	Kind    BlockKind
	Line    int
	Wait    int // how many pauses come before it shows
	Attrs   map[string]string
	Inlines []Inline // of Paragraph, Plain, Heading, Cell, Term, Figure
	Blocks  []Block  // of containers
	Text    string   // of Code, RawHTML and Source; of Mermaid the diagram's ID
	Lang    string   // of Code
	Level   int      // of Heading; 1 for a header Row
	Start   int      // of Numbers: the first number
	Align   string   // of Cell: "left", "center", "right" or ""

	textLine int // of Code: the line on which Text starts
}

// InlineKind says what an inline is.
type InlineKind string

// The kinds of inlines.
const (
	Text      InlineKind = "text"
	Emphasis  InlineKind = "emphasis"
	Strong    InlineKind = "strong"
	Deleted   InlineKind = "deleted"
	CodeSpan  InlineKind = "code"
	Link      InlineKind = "link"
	Image     InlineKind = "image"
	Small     InlineKind = "small" // {::note}...{:/note}
	Span      InlineKind = "span"  // {::tag name="..."}...{:/tag}
	LineBreak InlineKind = "break"
	Checkbox  InlineKind = "checkbox"
	RawTag    InlineKind = "tag"
)

// Inline is a piece of text.
type Inline struct {
	Kind    InlineKind
	Wait    int // how many pauses come before it shows
	Text    string
	Dest    string // of Link and Image
	Title   string // of Link and Image
	Attrs   map[string]string
	Inlines []Inline
}

// plain returns the text of inlines without any marks.
func plain(inlines []Inline) string {
	var b strings.Builder
	plainTo(&b, inlines)
	return strings.Join(strings.Fields(b.String()), " ")
}

func plainTo(b *strings.Builder, inlines []Inline) {
	for _, in := range inlines {
		switch in.Kind {
		case Text, CodeSpan:
			b.WriteString(in.Text)
		case LineBreak:
			b.WriteByte(' ')
		case RawTag:
		default:
			plainTo(b, in.Inlines)
		}
	}
}

// PlainText returns the text of blocks without any marks, a line for each piece.
func PlainText(blocks []Block) string {
	var lines []string
	for _, b := range blocks {
		switch {
		case len(b.Inlines) > 0:
			lines = append(lines, plain(b.Inlines))
		case b.Kind == Code || b.Kind == Source:
			lines = append(lines, strings.TrimRight(b.Text, "\n"))
		default:
			if text := PlainText(b.Blocks); text != "" {
				lines = append(lines, text)
			}
		}
	}
	return strings.Join(lines, "\n")
}
