package deck

import (
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// newPolicy says which HTML a slide may have: text, tables, links and images. Nothing in it can run.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	elements := []string{
		"h1", "h2", "h3", "h4", "h5", "h6", "header", "p", "div", "span", "br", "hr", "center",
		"ul", "ol", "li", "dl", "dt", "dd", "blockquote", "q", "cite", "pre", "code", "kbd", "samp", "var",
		"em", "strong", "b", "i", "u", "s", "del", "ins", "mark", "small", "big", "sub", "sup", "abbr",
		"figure", "figcaption", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "details", "summary",
	}
	p.AllowElements(elements...)
	p.AllowNoAttrs().OnElements(elements...)
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^[\w\- ]*$`)).Globally()
	p.AllowAttrs("lang", "dir").Matching(regexp.MustCompile(`^[\w-]*$`)).Globally()
	p.AllowAttrs("title").Globally()
	number := regexp.MustCompile(`^\d{1,4}(\.\d{1,4})?$`)
	p.AllowAttrs("data-height", "data-width", "data-fragment-index").Matching(number).Globally()
	p.AllowAttrs("data-diagram").OnElements("figure")
	p.AllowAttrs("data-chart").Matching(regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9.-]+$`)).OnElements("figure")
	p.AllowAttrs("data-slo").Matching(regexp.MustCompile(`^[0-9hms.]+$`)).OnElements("figure")
	p.AllowAttrs("start").Matching(number).OnElements("ol")
	p.AllowAttrs("colspan", "rowspan").Matching(number).OnElements("td", "th")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src", "alt").OnElements("img")
	p.AllowAttrs("width", "height").Matching(number).OnElements("img")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(true)
	p.RequireParseableURLs(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	p.AllowStyles("color", "background-color", "text-align", "font-size", "font-weight", "font-style", "text-decoration").Globally()
	return p
}

// balance closes what is open and drops what closes nothing, so that a slide's HTML stays in its slide, and makes
// the images come from assets.
func balance(text, assets string) (string, error) {
	context := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(text), context)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, n := range nodes {
		for d := range n.Descendants() {
			localize(d, assets)
		}
		localize(n, assets)
		if err := html.Render(&b, n); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// localize makes an image come from the deck's folder, and a link to a slide a deep link.
func localize(n *html.Node, assets string) {
	if n.Type != html.ElementNode {
		return
	}
	kept := n.Attr[:0]
	for _, a := range n.Attr {
		switch {
		case n.DataAtom == atom.Img && a.Key == "src":
			name, err := assetPath(a.Val)
			if err != nil {
				continue
			}
			a.Val = assets + escapePath(name)
		case n.DataAtom == atom.A && a.Key == "href" && strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "#/"):
			a.Val = "#/" + a.Val[1:]
		}
		kept = append(kept, a)
	}
	n.Attr = kept
}
