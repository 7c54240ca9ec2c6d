package kramdown

import (
	"bytes"
	"strings"
)

// Attr is one entry of an attribute list.
type Attr struct {
	Key, Value string
	Offset     int // of the key, from the start of the list's text
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

// ParseAttrs reads an attribute list, braces included: key="value", .class, #id, and names of lists that were
// defined before. Later values of a key win, classes add up.
func ParseAttrs(text []byte) []Attr {
	body := text[2 : len(text)-1]
	var attrs []Attr
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
			attrs = append(attrs, Attr{key, value, start + 2})
		case value != "" && value[0] == '.':
			attrs = append(attrs, Attr{"class", strings.ReplaceAll(value[1:], ".", " "), start + 2})
		case value != "" && value[0] == '#':
			attrs = append(attrs, Attr{"id", value[1:], start + 2})
		default:
			attrs = append(attrs, Attr{"", value, start + 2})
		}
	}
	return attrs
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
