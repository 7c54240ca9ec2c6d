package deck

import (
	"bytes"
	"slices"
	"strings"
)

// attr is one entry of an attribute list.
type attr struct {
	key, value string
	offset     int // of the key, from the start of the list's text
}

// attrLimit is how long an attribute list may be, in bytes, braces included.
const attrLimit = 1 << 10

// attrEnd returns the length of the attribute list at the start of text, braces included; 0 when it is not closed
// before a blank line. A brace between quotes or after a backslash does not close it.
func attrEnd(text []byte) int {
	if !bytes.HasPrefix(text, []byte("{:")) || len(text) > 2 && (text[2] == ':' || text[2] == '/') {
		return 0
	}
	var quote byte
	lineIsBlank := false
	for i := 2; i < len(text) && i < attrLimit; i++ {
		c := text[i]
		if c == '\n' {
			if lineIsBlank {
				return 0
			}
			lineIsBlank = true
			continue
		}
		if c != ' ' && c != '\t' {
			lineIsBlank = false
		}
		switch {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '}':
			return i + 1
		}
	}
	return 0
}

// parseAttrs reads an attribute list, braces included: key="value", .class, #id, and names of lists that were
// defined before. Later values of a key win, classes add up.
func parseAttrs(text []byte) []attr {
	body := text[2 : len(text)-1]
	var attrs []attr
	for i := 0; i < len(body); {
		if isSpace(body[i]) {
			i++
			continue
		}
		start := i
		var key string
		var word []byte
		keyed := false
		for i < len(body) && !isSpace(body[i]) {
			c := body[i]
			switch {
			case c == '=' && !keyed:
				key, keyed, word = string(word), true, nil
			case (c == '"' || c == '\'') && keyed && len(word) == 0:
				end := bytes.IndexByte(body[i+1:], c)
				if end < 0 {
					end = len(body) - i - 1
				}
				word = append(word, body[i+1:i+1+end]...)
				i += end + 1
			case c == '\\' && i+1 < len(body):
				i++
				word = append(word, body[i])
			default:
				word = append(word, c)
			}
			i++
		}
		value := strings.Join(strings.Fields(string(word)), " ")
		switch {
		case keyed:
			attrs = append(attrs, attr{key, value, start + 2})
		case value != "" && value[0] == '.':
			attrs = append(attrs, attr{"class", strings.ReplaceAll(value[1:], ".", " "), start + 2})
		case value != "" && value[0] == '#':
			attrs = append(attrs, attr{"id", value[1:], start + 2})
		default:
			attrs = append(attrs, attr{"", value, start + 2})
		}
	}
	return attrs
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// bindPrefix starts the attributes that say what a diagram's node stands for.
const bindPrefix = "bind-"

// knownAttr reports whether anything understands the attribute: this package, the stage, Rabbit or a browser. Dashes
// and underscores are the same to Rabbit.
func knownAttr(key string) bool {
	for _, prefix := range []string{bindPrefix, "data-", "aria-", "relative-margin-", "relative-padding-", "relative-clip-", "margin-", "padding-", "shadow-", "background-image-"} {
		if strings.HasPrefix(key, prefix) || strings.HasPrefix(strings.ReplaceAll(key, "_", "-"), prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"class", "id", "title", "lang", "language", "dir", "style",
		"walk", "coming", "chart", "slo",
		"width", "height", "relative-width", "relative-height", "normalized-width", "normalized-height",
		"align", "vertical-align", "caption", "alt", "src", "format", "background-color", "opacity",
		"keep-scale", "keep-ratio", "as-large-as-possible", "dither-mode", "reflect-ratio", "draw-shadow", "frame",
		"target", "rel", "href", "hreflang",
	}, strings.ReplaceAll(key, "_", "-"))
}

// closest returns the known attribute that key is most likely a misspelling of, or "".
func closest(key string) string {
	for _, known := range []string{"relative_height", "relative_width", "width", "height", "align", "caption", "class", "walk", "coming", "chart", "lang", "title"} {
		if distance(key, known) <= 2 {
			return known
		}
	}
	return ""
}

// distance returns how many letters have to be changed, added or taken out to make a into b. Long texts are far
// from everything.
func distance(a, b string) int {
	const long = 40
	if len(a) > long {
		return long
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
