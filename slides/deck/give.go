package deck

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/fluxdemo/fluxdemo/slides/deck/kramdown"
)

// namedList is an attribute list with a name, to be used by others: {:name: ...}.
var namedList = regexp.MustCompile(`^\{:([\w-]+):[ \t\n]`)

// defines keeps an attribute list with a name. It reports whether the list is one.
func (c *converter) defines(n *kramdown.AttrBlock) bool {
	text := c.src[n.Start:n.End]
	m := namedList.FindSubmatch(text)
	if m == nil {
		return false
	}
	const most = 100 // lists: each may use those before it, so that they could grow without bound
	if len(c.lists) < most {
		body := append([]byte("{:"), text[len(m[0]):]...)
		c.lists[string(m[1])] = kramdown.ParseAttrs(body)
	}
	return true
}

// attrs returns what an attribute list at an offset of the slide says, and reports what nothing understands.
func (c *converter) attrs(text []byte, offset int) map[string]string {
	out := map[string]string{}
	set := func(a kramdown.Attr) {
		if a.Key == "class" && out["class"] != "" {
			a.Value = out["class"] + " " + a.Value
		}
		out[a.Key] = a.Value
	}
	for _, a := range kramdown.ParseAttrs(text) {
		at := c.base + offset + a.Offset
		switch {
		case a.Key == "":
			list, known := c.lists[a.Value]
			if !known {
				c.warnf(at, "%q is neither key=\"value\", .class, #id nor the name of an attribute list", a.Value)
			}
			for _, named := range list {
				if named.Key != "" {
					set(named)
				}
			}
		case !knownAttr(a.Key):
			hint := ""
			if close := closest(a.Key); close != "" {
				hint = fmt.Sprintf("; did you mean %s?", close)
			}
			c.warnf(at, "unknown attribute %q%s", a.Key, hint)
		default:
			set(a)
		}
	}
	return out
}

// give applies an attribute list to a block.
func (c *converter) give(b *Block, n *kramdown.AttrBlock) {
	c.giveAttrs(b, c.attrs(c.src[n.Start:n.End], n.Start), n.Start)
}

func (c *converter) giveAttrs(b *Block, attrs map[string]string, offset int) {
	c.takeWalk(attrs, offset, c.waits)
	lang := attrs["lang"]
	if lang == "" {
		lang = attrs["language"]
	}
	for _, class := range strings.Fields(attrs["class"]) {
		if name, ok := strings.CutPrefix(class, "language-"); ok && lang == "" {
			lang = name
		}
	}
	if b.Kind == Code && lang != "" {
		b.Lang = strings.ToLower(lang)
		if b.Lang == mermaid {
			c.diagram(b)
		}
	}
	merge(&b.Attrs, attrs)
	if b.Kind == Figure {
		merge(&b.Inlines[0].Attrs, attrs)
	}
	if b.Kind != Mermaid {
		return
	}
	d := &c.out.Diagrams[len(c.out.Diagrams)-1]
	merge(&d.Attrs, attrs)
	for key, value := range attrs {
		if node, ok := strings.CutPrefix(key, bindPrefix); ok {
			merge(&d.Bind, map[string]string{node: value})
		}
	}
}

func merge(into *map[string]string, from map[string]string) {
	for key, value := range from {
		if *into == nil {
			*into = map[string]string{}
		}
		(*into)[key] = value
	}
}

// walkName is what a walk may be called. A path is none: a deck shall not have files run that its reader did not name.
var walkName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// takeWalk takes the walk out of attributes and ties it to the slide, after a number of pauses.
func (c *converter) takeWalk(attrs map[string]string, offset, wait int) {
	named, isNamed := attrs["walk"]
	coming := attrs["coming"]
	delete(attrs, "walk")
	delete(attrs, "coming")
	if !isNamed {
		if coming != "" {
			c.warnf(c.base+offset, "coming requires walk=\"...\" with the name of the walk")
		}
		return
	}
	ref := WalkRef{Wait: wait}
	ref.Walk, ref.Step, _ = strings.Cut(named, "#")
	if !walkName.MatchString(ref.Walk) {
		c.errorf(c.base+offset, "%q is not the name of a walk: write walk=\"name\" or walk=\"name#step\"", ref.Walk)
		return
	}
	if c.walked {
		c.errorf(c.base+offset, "the slide already names %s, and can have only one walk", firstOf(c.out.Walk, c.out.Coming))
		return
	}
	c.walked = true
	ref.at.file = c.file
	ref.at.line, ref.at.col = c.position(c.base + offset)
	switch coming {
	case "", "no", "false":
		c.out.Walk = ref
	default:
		c.out.Coming = ref
	}
}

// takeChart takes the chart out of the attributes of a slide.
func (c *converter) takeChart(attrs map[string]string, offset int) {
	name, isNamed := attrs["chart"]
	if !isNamed {
		if attrs["slo"] != "" {
			c.warnf(c.base+offset, "slo requires chart=\"...\" with the name of a Kustomization")
		}
		return
	}
	chart, err := newChart(name, attrs["slo"])
	if err != nil {
		c.errorf(c.base+offset, "%v", err)
		return
	}
	c.out.Chart = chart
}

func firstOf(refs ...WalkRef) WalkRef {
	for _, r := range refs {
		if r.Walk != "" {
			return r
		}
	}
	return WalkRef{}
}

// spanAttrs applies an attribute list behind a span to it.
func (c *converter) spanAttrs(out []Inline, n *kramdown.AttrSpan) []Inline {
	if len(out) > 0 && !c.pending {
		last := &out[len(out)-1]
		switch last.Kind {
		case Emphasis, Strong, Deleted, CodeSpan, Link, Image, Small, Span:
			attrs := c.attrs(n.List, n.Start)
			c.takeWalk(attrs, n.Start, c.waits)
			merge(&last.Attrs, attrs)
			return out
		}
	}
	if len(out) == 0 { // {:.class} at the start of a list's item
		c.lead = c.attrs(n.List, n.Start)
		return out
	}
	c.warnf(c.base+n.Start, "the attribute list belongs to nothing: put it directly after a link, an image, code, or emphasis")
	return c.addText(out, valid(string(n.List)))
}
