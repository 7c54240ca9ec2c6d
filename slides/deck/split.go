package deck

import (
	"bytes"
	"regexp"
)

// span is a piece of the file.
type span struct{ start, end int }

// slideLimit is how long a slide may be, in bytes. What is longer is no slide, and is shown as it is written:
// that keeps the time to read a deck in proportion to its length, whatever is in it.
const slideLimit = 32 << 10

// splitter cuts a deck into slides before anything else is read, so that a mistake in one slide cannot reach the next.
type splitter struct {
	*source
	lower []byte         // the text in lower case, for searching tags
	none  map[string]int // a closing text -> it does not occur from this offset on

	comments []span // {::comment}...{:/comment}; one that is not closed ends with the file
}

// split returns the slides' pieces, of which the first may be without a title, and the comments.
func split(s *source) (slides, comments []span) {
	p := &splitter{source: s, lower: bytes.Clone(s.text), none: map[string]int{}}
	for i, c := range p.lower { // of ASCII alone: other letters may change their length
		if 'A' <= c && c <= 'Z' {
			p.lower[i] = c + 'a' - 'A'
		}
	}
	var starts []int
	for i := 0; i < len(s.lines); {
		if p.isTitle(i) {
			starts = append(starts, p.attributesBefore(i))
		}
		i = p.skip(i)
	}
	if len(starts) == 0 || len(bytes.TrimSpace(s.text[:starts[0]])) > 0 {
		slides = append(slides, span{0, len(s.text)})
		if len(starts) > 0 {
			slides[0].end = starts[0]
		}
	}
	for i, start := range starts {
		end := len(s.text)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		slides = append(slides, span{start, end})
	}
	return slides, p.comments
}

var (
	setextTitle = regexp.MustCompile(`^=+[ \t]*$`)
	attrLine    = regexp.MustCompile(`^ {0,3}\{:[^:/]`)
	fenceLine   = regexp.MustCompile("^ {0,3}(```+[^`]*|~~~+.*)$")
)

// isTitle reports whether a slide starts on the i-th line.
func (p *splitter) isTitle(i int) bool {
	line := p.line(i)
	if len(line) > 0 && line[0] == '#' {
		return len(line) == 1 || line[1] == ' ' || line[1] == '\t'
	}
	if p.blank(i) || line[0] == ' ' || line[0] == '\t' || i+1 >= len(p.lines) || (i > 0 && !p.blank(i-1)) {
		return false
	}
	return setextTitle.Match(p.line(i + 1))
}

func (p *splitter) blank(i int) bool { return len(bytes.TrimSpace(p.line(i))) == 0 }

// attributesBefore returns where the slide of the title on the i-th line starts: at an attribute list right above
// the title, if there is one.
func (p *splitter) attributesBefore(i int) int {
	const most = 10 // lines of an attribute list
	for j := i - 1; j >= 0 && j >= i-most && !p.blank(j); j-- {
		if attrLine.Match(p.line(j)) {
			if (j == 0 || p.blank(j-1)) && bytes.HasSuffix(bytes.TrimSpace(p.line(i-1)), []byte("}")) {
				return p.lines[j]
			}
			break
		}
	}
	return p.lines[i]
}

// closings says which text ends what a line starts with.
func closings(line []byte) []string {
	for _, c := range []struct {
		start string
		ends  []string
	}{
		{"<!--", []string{"-->"}},
		{"<pre", []string{"</pre>"}},
		{"<script", []string{"</script>"}},
		{"<style", []string{"</style>"}},
		{"{::comment}", []string{"{:/comment}", "{:/}"}},
		{"{::nomarkdown}", []string{"{:/nomarkdown}", "{:/}"}},
	} {
		if bytes.HasPrefix(line, []byte(c.start)) {
			return c.ends
		}
	}
	return nil
}

// skip returns the next line at which a slide may start. Lines between two fences, or in a comment, are no titles.
func (p *splitter) skip(i int) int {
	line := p.line(i)
	trimmed := bytes.TrimLeft(line, " ")
	if len(line)-len(trimmed) > 3 || len(trimmed) == 0 {
		return i + 1
	}
	if trimmed[0] == '`' || trimmed[0] == '~' {
		if fenceLine.Match(line) {
			return p.skipFence(i, trimmed)
		}
		return i + 1
	}
	if trimmed[0] != '<' && trimmed[0] != '{' {
		return i + 1
	}
	start := p.lines[i] + len(line) - len(trimmed)
	ends := closings(p.lower[start : start+len(trimmed)])
	if ends == nil {
		return i + 1
	}
	found, stop := -1, len(p.text)
	for _, end := range ends {
		if at := p.find(end, start); at >= 0 && (found < 0 || at < found) {
			found, stop = at, at+len(end)
		}
	}
	if bytes.HasPrefix(trimmed, []byte("{::comment}")) {
		p.comments = append(p.comments, span{start, stop})
	}
	if found < 0 {
		p.errorf(start, "this is not closed: %s is missing, so the rest of the slide does not show", ends[0])
		return i + 1
	}
	for i < len(p.lines) && p.lines[i] <= found {
		i++
	}
	return i
}

// find returns the offset of a text at or after from, or -1. It searches no part of the file twice for what is not
// there.
func (p *splitter) find(text string, from int) int {
	if none, known := p.none[text]; known && from >= none {
		return -1
	}
	at := bytes.Index(p.lower[from:], []byte(text))
	if at < 0 {
		p.read += len(p.lower) - from
		p.none[text] = from
		return -1
	}
	p.read += at
	return from + at
}

// skipFence returns the line after a fenced block, or, when the block is not closed, the title of the next slide:
// a missing fence shall not swallow it. A block that is too long for a slide counts as not closed.
func (p *splitter) skipFence(i int, open []byte) int {
	char, width := open[0], 0
	for width < len(open) && open[width] == char {
		width++
	}
	mermaid := bytes.EqualFold(bytes.TrimSpace(open[width:]), []byte("mermaid"))
	title := -1 // the first line in the block that could be the next slide's
	j := i + 1
	for ; j < len(p.lines) && p.lines[j]-p.lines[i] <= slideLimit; j++ {
		line := bytes.TrimLeft(p.line(j), " ")
		if title < 0 && p.blank(j-1) && len(line) > 1 && p.line(j)[0] == '#' && p.isTitle(j) {
			title = j
			if mermaid { // no line of a diagram starts with #
				return title
			}
		}
		n := 0
		for n < len(line) && line[n] == char {
			n++
		}
		switch {
		case n >= width && len(bytes.TrimSpace(line[n:])) == 0:
			return j + 1
		case n >= width && n >= 3 && fenceLine.Match(p.line(j)): // another block starts
			if title >= 0 {
				return title
			}
			return j
		}
	}
	if title >= 0 {
		return title
	}
	return j
}
