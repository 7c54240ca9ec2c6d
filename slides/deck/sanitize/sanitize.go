// Package sanitize makes a deck's HTML safe: it keeps text, tables, links, and images, and removes scripts and styles
// that could affect the page outside the slide.
package sanitize

import (
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Policy says which HTML a slide may have. It may be used by several goroutines.
type Policy struct{ policy *bluemonday.Policy }

// New returns the policy for slides.
func New() *Policy { return &Policy{newPolicy()} }

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

// Clean returns text without what a slide may not have. It closes what is open and drops what closes nothing. image
// gives the address of an image for what the deck says; one that it returns an error for has no address. It is an
// error if elements are nested deeper than a browser would follow.
func (p *Policy) Clean(text string, image func(src string) (string, error)) (string, error) {
	context := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(p.policy.Sanitize(text)), context)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, n := range nodes {
		for d := range n.Descendants() {
			localize(d, image)
		}
		localize(n, image)
		if err := html.Render(&b, n); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// localize gives an image its address, and makes a link to a slide a deep link.
func localize(n *html.Node, image func(src string) (string, error)) {
	if n.Type != html.ElementNode {
		return
	}
	kept := n.Attr[:0]
	for _, a := range n.Attr {
		switch {
		case n.DataAtom == atom.Img && a.Key == "src":
			address, err := image(a.Val)
			if err != nil {
				continue
			}
			a.Val = address
		case n.DataAtom == atom.A && a.Key == "href" && strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "#/"):
			a.Val = "#/" + a.Val[1:]
		}
		kept = append(kept, a)
	}
	n.Attr = kept
}
