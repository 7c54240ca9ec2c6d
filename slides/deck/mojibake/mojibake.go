// Package mojibake finds UTF-8 text that was decoded as Windows-1252 and saved again, so that it has two to four letters
// such as "â€™" for each character. To repair it, the letters are encoded as Windows-1252 again.
package mojibake

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Run is a run of text that was certainly decoded with the wrong charset.
type Run struct {
	Offset int    // in bytes
	Text   string // as in the file
	Meant  string // what it was before
}

// Find returns the runs of wrongly decoded text, in order. It takes linear time.
func Find(text string) []Run {
	var found []Run
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		end := i
		for end < len(text) && text[end] >= utf8.RuneSelf {
			end++
		}
		found = append(found, garbledIn(text, i, end)...)
		i = end
	}
	return found
}

// Repair returns the text with what was decoded with the wrong charset decoded with the right one.
func Repair(text string) string {
	found := Find(text)
	if len(found) == 0 {
		return text
	}
	var b strings.Builder
	last := 0
	for _, g := range found {
		b.WriteString(text[last:g.Offset])
		b.WriteString(g.Meant)
		last = g.Offset + len(g.Text)
	}
	b.WriteString(text[last:])
	return b.String()
}

// garbledIn looks into text[start:end], which has no ASCII character.
func garbledIn(text string, start, end int) []Run {
	var raw []byte // what the characters were read from; 0 for one that comes from no byte
	var at []int   // where they start in text
	for i, r := range text[start:end] {
		raw, at = append(raw, byteOf(r)), append(at, start+i)
	}
	at = append(at, end)
	var found []Run
	for i := 0; i < len(raw); {
		// A run of characters, each from several bytes.
		j, characters, certain := i, 0, false
		for j < len(raw) {
			r, size := utf8.DecodeRune(raw[j:])
			if size < 2 || r < 0xa0 {
				break
			}
			characters++
			certain = certain || alone(raw[j:j+size])
			j += size
		}
		switch {
		case characters == 0:
			i++
			continue
		case certain || characters > 1 && !marks(raw[i:j]):
			found = append(found, Run{at[i], text[at[i]:at[j]], string(raw[i:j])})
		}
		i = j
	}
	return found
}

// byteOf returns the byte that Windows-1252 decodes as r, or 0. Bytes that it does not use are often passed on as
// they are.
func byteOf(r rune) byte {
	if c, known := charmap.Windows1252.EncodeRune(r); known && r != utf8.RuneError {
		return c
	}
	if r >= 0x80 && r < 0xa0 {
		return byte(r)
	}
	return 0
}

// alone reports whether a single character is enough to be sure: what it was made into is nothing that comes up in
// any language. A French word before a quotation mark and dots, or a name with a trade mark, does come up.
func alone(char []byte) bool {
	return !marks(char) && bytes.IndexByte([]byte{0xc2, 0xc3, 0xe2, 0xef, 0xf0}, char[0]) >= 0
}

// marks reports whether letters are followed by nothing but quotation marks, dashes, dots and spaces.
func marks(raw []byte) bool {
	for _, c := range raw {
		if c < 0xc0 && bytes.IndexByte([]byte{0x82, 0x84, 0x85, 0x8b, 0x91, 0x92, 0x93, 0x94, 0x96, 0x97, 0x9b, 0xa0, 0xab, 0xbb}, c) < 0 {
			return false
		}
	}
	return true
}
