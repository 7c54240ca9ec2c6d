// Package plaintext makes what others have written fit for a terminal, a recording, or a report: text stays, colours
// stay where they are wanted, and nothing else does. A message of an object or the output of a command can then not
// move the cursor, clear the screen, set the title, or show text in another order than it has.
package plaintext

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Coloured returns s with its colours, each of which ends with its line. Of \r\n, \n stays; any other carriage return
// ends a line, so that no text covers another. Bytes that are not UTF-8 become U+FFFD.
func Coloured(s string) string {
	var f Filter
	return string(f.Flush(f.Append(nil, []byte(s))))
}

// Text returns s as Coloured does, without colours.
func Text(s string) string {
	f := Filter{Colourless: true}
	return string(f.Flush(f.Append(nil, []byte(s))))
}

// Line returns s as Text does, in one line: a tab or the end of a line becomes a space.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return r
	}, strings.TrimRight(Text(s), "\n"))
}

// Last returns what a terminal shows of a line whose writer began it anew at each carriage return, as progress bars do.
func Last(line string) string {
	line = strings.TrimRight(line, "\r")
	return line[strings.LastIndexByte(line, '\r')+1:]
}

// JSON returns JSON of the same value that passes a Filter unchanged: characters that a Filter drops are written as
// escapes. data must be valid JSON, where such characters are possible only in strings.
func JSON(data []byte) []byte {
	return escaped(data, func(r rune) (escape []byte) {
		for _, unit := range utf16.AppendRune(nil, r) {
			escape = fmt.Appendf(escape, `\u%04x`, unit)
		}
		return escape
	})
}

// YAML returns YAML that has the value of JSON and passes a Filter unchanged. It looks like JSON, but for characters that
// JSON escapes in two halves: YAML knows no halves.
func YAML(data []byte) []byte {
	return escaped(data, func(r rune) []byte { return fmt.Appendf(nil, `\U%08x`, r) })
}

// escaped returns JSON with escapes for the characters that a Filter drops.
func escaped(data []byte, escape func(rune) []byte) []byte {
	if !json.Valid(data) {
		return data
	}
	var out []byte
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...) // this is how decoders read it
		case r >= 0x7f && hidden(r): // JSON has only white space among the controls before it
			out = append(out, escape(r)...)
		default:
			out = append(out, data[:n]...)
		}
		data = data[n:]
	}
	return out
}

// hidden reports whether a character is no text: a control, or one that is not seen itself and changes how the text
// around it is seen or read. The joiners stay, since they are part of scripts and of emoji, and so do Arabic signs that
// are drawn around numbers.
func hidden(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return false
	case r == '\u2028' || r == '\u2029':
		return true
	case r >= 0xe0000 && r <= 0xe0fff: // tags, and the rest of the block that is never seen
		return !unicode.Is(unicode.Variation_Selector, r)
	case unicode.Is(unicode.Cf, r):
		return !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
	}
	return unicode.IsControl(r)
}
