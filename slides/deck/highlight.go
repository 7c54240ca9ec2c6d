package deck

import (
	"html"
	"strings"

	"github.com/alecthomas/chroma/v2"
	chromahtml "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"
)

// highlighter marks up code with classes; the colours are in CSS.
type highlighter struct {
	formatter *chromahtml.Formatter
	style     *chroma.Style
}

func newHighlighter() *highlighter {
	return &highlighter{chromahtml.New(chromahtml.WithClasses(true), chromahtml.PreventSurroundingPre(true)), styles.Get("github")}
}

// highlightLimit is how much code is marked up, in bytes. More does not fit on a slide.
const highlightLimit = 8 << 10

// html returns code as HTML, with marks if the language is known.
func (h *highlighter) html(code, lang string) string {
	plain := "<code>" + html.EscapeString(code) + "</code>"
	lexer := lexers.Get(lang)
	if lang == "" || lexer == nil || len(code) > highlightLimit {
		return plain
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, code)
	if err != nil {
		return plain
	}
	var b strings.Builder
	if err := h.formatter.Format(&b, h.style, tokens); err != nil {
		return plain
	}
	return "<code>" + b.String() + "</code>"
}

// CSS returns the colours of code: on light ground, and below an element with data-theme="dark" or "contrast" on
// dark ground.
func CSS() string {
	h := newHighlighter()
	return h.css("github") + `[data-theme="dark"],[data-theme="contrast"]{` + "\n" + h.css("github-dark") + "}\n"
}

// css returns the rules for tokens; what is around them belongs to the stage.
func (h *highlighter) css(style string) string {
	var all, b strings.Builder
	_ = h.formatter.WriteCSS(&all, styles.Get(style)) // to memory
	for line := range strings.Lines(all.String()) {
		if strings.Contains(line, " .chroma .") && !strings.Contains(line, " .chroma .ln") && !strings.Contains(line, " .chroma .l") {
			b.WriteString(line)
		}
	}
	return b.String()
}
