package deck

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"

	"github.com/fluxdemo/fluxdemo/slides/deck/sanitize"
)

// HTMLOptions says how slides become HTML.
type HTMLOptions struct {
	Assets string // what comes before the paths of images; "assets/" when empty
}

// renderer makes HTML of the model. It may be used by several goroutines.
type renderer struct {
	policy *sanitize.Policy
	code   *highlighter
}

func newRenderer() *renderer { return &renderer{policy: sanitize.New(), code: newHighlighter()} }

// HTML returns what the slide shows, heading included: <h2>, and on the title slide <h1> with paragraphs of class
// subtitle, author, institution and date. Whatever the deck says, nothing in it runs, refers to another host's
// images, or reaches beyond the slide. What shows after the n-th pause has class "fragment" and
// data-fragment-index="n-1". A diagram is <figure class="diagram" data-diagram="ID"> with its source in
// <pre class="mermaid-source">; data-height and data-width are percentages of the slide.
func (s *Slide) HTML(o HTMLOptions) string {
	w := newWriter(s.html, s)
	level := "h2"
	if s.Cover {
		level = "h1"
	}
	if len(s.heading) > 0 {
		w.element(level, "", func() { w.inlines(s.heading, 0) })
	}
	if s.Cover && s.meta != nil {
		for _, fact := range []struct{ class, text string }{
			{"subtitle", s.meta.Subtitle}, {"author", s.meta.Author}, {"institution", s.meta.Institution}, {"date", s.meta.Date},
		} {
			if fact.text != "" {
				w.element("p", ` class="`+fact.class+`"`, func() { w.text(fact.text) })
			}
		}
	}
	w.blocks(s.Blocks, 0)
	if c := s.Chart; c.Kustomization != "" {
		w.element("figure", fmt.Sprintf(` class="chart" data-chart="%s" data-slo="%s"`, c.Kustomization, c.SLO), func() {})
	}
	if s.Coming.Walk != "" {
		w.element("p", ` class="coming"`, func() {
			w.text("Coming: the walk ")
			w.element("code", "", func() { w.text(s.Coming.String()) })
		})
	}
	return w.finish(o)
}

// HTML returns the note, as safe as a slide.
func (n *Note) HTML(o HTMLOptions) string {
	w := newWriter(n.html, &Slide{})
	w.blocks(n.Blocks, 0)
	return w.finish(o)
}

// Text returns the note without any marks.
func (n *Note) Text() string { return PlainText(n.Blocks) }

// writer collects the HTML of one slide.
type writer struct {
	*renderer
	b     strings.Builder
	slide *Slide
}

// newWriter returns a writer for a slide. Only a slide that was not read from a deck has no renderer.
func newWriter(r *renderer, slide *Slide) *writer {
	if r == nil {
		r = newRenderer()
	}
	return &writer{renderer: r, slide: slide}
}

// finish makes what was written safe.
func (w *writer) finish(o HTMLOptions) string {
	if o.Assets == "" {
		o.Assets = "assets/"
	}
	out, err := w.policy.Clean(w.b.String(), func(src string) (string, error) {
		name, err := assetPath(src)
		return o.Assets + escapePath(name), err
	})
	if err != nil { // nested deeper than a browser would follow
		return "<pre>" + html.EscapeString(PlainText(w.slide.Blocks)) + "</pre>"
	}
	return out
}

func (w *writer) text(s string) { w.b.WriteString(html.EscapeString(s)) }

func (w *writer) element(name, attrs string, content func()) {
	w.b.WriteString("<" + name + attrs + ">")
	content()
	w.b.WriteString("</" + name + ">")
}

// blocks writes blocks inside something that shows after a number of pauses.
func (w *writer) blocks(list []Block, wait int) {
	for i := range list {
		w.block(&list[i], wait)
	}
}

func (w *writer) block(b *Block, wait int) {
	inside := max(wait, b.Wait)
	content := func() {
		w.inlines(b.Inlines, inside)
		w.blocks(b.Blocks, inside)
	}
	attrs := func(classes ...string) string { return w.attrs(b.Attrs, b.Wait, wait, classes...) }
	switch b.Kind {
	case Paragraph:
		w.element("p", attrs(), content)
	case Plain:
		w.inlines(b.Inlines, wait)
	case Heading:
		w.element(fmt.Sprintf("h%d", min(max(b.Level+1, 3), 6)), attrs(), content)
	case Bullets:
		w.element("ul", attrs(), content)
	case Numbers:
		start := ""
		if b.Start != 1 {
			start = fmt.Sprintf(` start="%d"`, b.Start)
		}
		w.element("ol", start+attrs(), content)
	case Item:
		w.element("li", attrs(), content)
	case Quote:
		w.element("blockquote", attrs(), content)
	case Code:
		w.element("pre", attrs("chroma"), func() { w.b.WriteString(w.code.html(b.Text, b.Lang)) })
	case Source:
		w.element("pre", attrs("source"), func() { w.text(b.Text) })
	case Mermaid:
		w.diagram(b, attrs("diagram"))
	case Figure:
		w.figure(b, attrs("image"))
	case Table:
		w.element("table", attrs(), func() { w.rows(b.Blocks, inside) })
	case Definitions:
		w.element("dl", attrs(), content)
	case Term:
		w.element("dt", attrs(), content)
	case Definition:
		w.element("dd", attrs(), content)
	case Rule:
		w.b.WriteString("<hr" + attrs() + ">")
	case RawHTML:
		w.element("div", attrs("html"), func() { w.b.WriteString(b.Text) })
	}
}

func (w *writer) diagram(b *Block, attrs string) {
	w.element("figure", ` data-diagram="`+html.EscapeString(b.Text)+`"`+attrs, func() {
		w.element("pre", ` class="mermaid-source"`, func() {
			for _, d := range w.slide.Diagrams {
				if d.ID == b.Text {
					w.text(d.Source)
				}
			}
		})
	})
}

// figure writes an image that stands on its own, with its caption. As in Rabbit that is its title, or else the text
// instead.
func (w *writer) figure(b *Block, attrs string) {
	image := b.Inlines[0]
	caption := image.Attrs["caption"]
	if caption == "" {
		caption = image.Title
	}
	if caption == "" {
		caption = plain(image.Inlines)
	}
	w.element("figure", attrs, func() {
		w.image(image, "")
		if caption != "" {
			w.element("figcaption", "", func() { w.text(caption) })
		}
	})
}

// rows writes a table's rows, those of the header apart.
func (w *writer) rows(rows []Block, wait int) {
	part := ""
	for i := range rows {
		row := &rows[i]
		name, cell := "tbody", "td"
		if row.Level == 1 {
			name, cell = "thead", "th"
		}
		if part != name {
			if part != "" {
				w.b.WriteString("</" + part + ">")
			}
			w.b.WriteString("<" + name + ">")
			part = name
		}
		inside := max(wait, row.Wait)
		w.element("tr", w.attrs(row.Attrs, row.Wait, wait), func() {
			for j := range row.Blocks {
				c := &row.Blocks[j]
				var classes []string
				if c.Align != "" {
					classes = []string{"align-" + c.Align}
				}
				w.element(cell, w.attrs(c.Attrs, c.Wait, inside, classes...), func() { w.inlines(c.Inlines, max(inside, c.Wait)) })
			}
		})
	}
	if part != "" {
		w.b.WriteString("</" + part + ">")
	}
}

// inlines writes text inside something that shows after a number of pauses. What shows later is wrapped.
func (w *writer) inlines(list []Inline, wait int) {
	for i := 0; i < len(list); {
		later := list[i].Wait
		if later <= wait {
			w.inline(&list[i], wait)
			i++
			continue
		}
		w.element("span", w.attrs(nil, later, wait), func() {
			for ; i < len(list) && list[i].Wait == later; i++ {
				w.inline(&list[i], later)
			}
		})
	}
}

func (w *writer) inline(in *Inline, wait int) {
	attrs := w.attrs(in.Attrs, wait, wait)
	content := func() { w.inlines(in.Inlines, wait) }
	switch in.Kind {
	case Text:
		w.text(in.Text)
	case Emphasis:
		w.element("em", attrs, content)
	case Strong:
		w.element("strong", attrs, content)
	case Deleted:
		w.element("del", attrs, content)
	case CodeSpan:
		w.element("code", attrs, func() { w.text(in.Text) })
	case Link:
		title := ""
		if in.Title != "" {
			title = ` title="` + html.EscapeString(in.Title) + `"`
		}
		w.element("a", ` href="`+html.EscapeString(in.Dest)+`"`+title+attrs, content)
	case Image:
		w.image(*in, attrs)
	case Small:
		w.element("small", w.attrs(in.Attrs, wait, wait, "note"), content)
	case Span:
		w.element("span", attrs, content)
	case LineBreak:
		w.b.WriteString("<br>")
	case Checkbox:
		mark := "☐ "
		if in.Text != "" {
			mark = "☑ "
		}
		w.text(mark)
	case RawTag:
		w.b.WriteString(in.Text)
	}
}

var pixels = regexp.MustCompile(`^\d{1,4}$`)

// image writes an image. One that cannot be shown leaves its text.
func (w *writer) image(in Inline, attrs string) {
	alt := plain(in.Inlines)
	if alt == "" {
		alt = in.Title
	}
	if _, err := assetPath(in.Dest); err != nil {
		if alt == "" {
			alt = in.Dest
		}
		w.element("span", ` class="missing"`, func() { w.text(alt) })
		return
	}
	for _, key := range []string{"width", "height"} {
		if v := in.Attrs[key]; pixels.MatchString(v) {
			attrs += " " + key + `="` + v + `"`
		}
	}
	w.b.WriteString(`<img src="` + html.EscapeString(in.Dest) + `" alt="` + html.EscapeString(alt) + `"` + attrs + ">")
}

var percent = regexp.MustCompile(`^\d{1,3}(\.\d{1,4})?$`)

// attrs returns the HTML attributes of an element: what an attribute list says, and its pause when it comes after
// that of what is around it.
func (w *writer) attrs(attrs map[string]string, wait, around int, classes ...string) string {
	var b strings.Builder
	classes = append(classes, strings.Fields(attrs["class"])...)
	if align := attrs["align"]; align == "left" || align == "center" || align == "right" {
		classes = append(classes, "align-"+align)
	}
	if wait > around {
		classes = append(classes, "fragment")
		fmt.Fprintf(&b, ` data-fragment-index="%d"`, wait-1)
	}
	if len(classes) > 0 {
		b.WriteString(` class="` + html.EscapeString(strings.Join(classes, " ")) + `"`)
	}
	for _, key := range keys(attrs) {
		value := attrs[key]
		switch name := strings.ReplaceAll(key, "_", "-"); {
		case name == "relative-height" && percent.MatchString(value):
			b.WriteString(` data-height="` + value + `"`)
		case name == "relative-width" && percent.MatchString(value):
			b.WriteString(` data-width="` + value + `"`)
		case name == "title" || name == "lang" || name == "dir" || name == "style":
			b.WriteString(" " + name + `="` + html.EscapeString(value) + `"`)
		}
	}
	return b.String()
}

// escapePath returns a path as it is written in a URL.
func escapePath(p string) string { return (&url.URL{Path: p}).EscapedPath() }
