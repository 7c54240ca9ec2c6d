package plaintext

import (
	"strconv"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/ansi/parser"
)

const (
	// longestSequence is how many characters an escape sequence may have. What comes after them is text: a sequence
	// without an end must not hide all that follows.
	longestSequence = 4 << 10
	// LongestLine is how many bytes of text a Filter with Overwriting puts into a line. Whoever collects lines then needs
	// no more memory than that.
	LongestLine = 64 << 10
	// mostParameters is how many parameters a sequence of colours may have: enough for three colours in full and a type.
	mostParameters = 24
)

// Filter lets text and colours of a stream pass, wherever the stream is split. It holds back at most an unfinished
// character or sequence. A sequence ends with its line at the latest. The zero value is ready.
type Filter struct {
	// Colourless says that colours are dropped, too.
	Colourless bool
	// Overwriting says that carriage returns stay, because the reader knows Last, and that long lines are broken.
	Overwriting bool

	parser  *ansi.Parser
	out     []byte
	part    []byte // the first bytes of a character
	length  int    // of the unfinished sequence
	line    int    // bytes of text in the line
	colours bool   // some are set
	ended   bool   // a carriage return was the last character
}

// Append appends to dst what passes of the stream's next piece.
func (f *Filter) Append(dst, piece []byte) []byte {
	if f.parser == nil {
		f.parser = ansi.NewParser()
		f.parser.SetDataSize(1) // no handler reads it; 0 means no limit
		f.parser.SetHandler(ansi.Handler{Print: f.print, Execute: f.control, HandleCsi: f.sequence})
	}
	f.out = dst
	if len(f.part) > 0 {
		piece = append(f.part, piece...)
		f.part = nil
	}
	for len(piece) > 0 {
		if !utf8.FullRune(piece) {
			f.part = append([]byte(nil), piece...)
			break
		}
		r, n := utf8.DecodeRune(piece)
		f.take(r)
		piece = piece[n:]
	}
	dst, f.out = f.out, nil
	return dst
}

// Flush ends the stream: it appends to dst what was held back and is text, and ends its colours. Another stream may begin.
func (f *Filter) Flush(dst []byte) []byte {
	f.out = dst
	for range f.part {
		f.take(utf8.RuneError)
	}
	f.plain()
	dst = f.out
	*f = Filter{Colourless: f.Colourless, Overwriting: f.Overwriting}
	return dst
}

// take takes in the next character of the stream.
func (f *Filter) take(r rune) {
	switch {
	case r == '\n':
		f.parser.Reset()
		f.newline()
	case r < 0xa0: // ASCII, and controls that are also known as ESC and a letter
		f.parser.Advance(byte(r))
	case f.inString():
		// A title, for example.
	default:
		f.parser.Reset() // no other sequence has such characters
		f.print(r)
	}
	f.length++
	if f.parser.State() == parser.GroundState || f.length > longestSequence {
		f.parser.Reset()
		f.length = 0
	}
}

// inString reports whether the unfinished sequence is one that carries text.
func (f *Filter) inString() bool {
	switch f.parser.State() {
	case parser.OscStringState, parser.DcsStringState, parser.SosStringState, parser.PmStringState, parser.ApcStringState:
		return true
	}
	return false
}

// control takes in a control character.
func (f *Filter) control(b byte) {
	switch {
	case b == '\t':
		f.print('\t')
	case b != '\r':
	case f.Overwriting:
		f.print('\r')
	default:
		f.ended = true
	}
}

// print lets a character pass that is text.
func (f *Filter) print(r rune) {
	if r != '\t' && r != '\r' && hidden(r) {
		return
	}
	if f.ended || f.Overwriting && f.line+utf8.RuneLen(r) > LongestLine {
		f.newline()
	}
	f.out = utf8.AppendRune(f.out, r)
	f.line += utf8.RuneLen(r)
}

func (f *Filter) newline() {
	f.plain()
	f.out = append(f.out, '\n')
	f.line, f.ended = 0, false
}

// plain ends the colours.
func (f *Filter) plain() {
	if f.colours {
		f.out = append(f.out, ansi.ResetStyle...)
		f.colours = false
	}
}

// sequence lets a sequence pass that sets colours.
func (f *Filter) sequence(cmd ansi.Cmd, params ansi.Params) {
	if f.Colourless || cmd.Final() != 'm' || cmd.Prefix() != 0 || cmd.Intermediate() != 0 || !colours(params) {
		return
	}
	reset := len(params) == 0 || len(params) == 1 && params[0].Param(0) == 0
	if reset {
		f.plain()
		return
	}
	if f.ended {
		f.newline()
	}
	f.out = append(f.out, "\x1b["...)
	for i, p := range params {
		if n := p.Param(-1); n >= 0 {
			f.out = strconv.AppendInt(f.out, int64(n), 10)
		}
		switch {
		case p.HasMore():
			f.out = append(f.out, ':')
		case i < len(params)-1:
			f.out = append(f.out, ';')
		}
	}
	f.out = append(f.out, 'm')
	f.colours = true
}

// Parameters of colours.
const (
	slowBlink, fastBlink, conceal = 5, 6, 8
	inFull, ofPalette             = 2, 5
	foreground, background        = 38, 48
	underline                     = 58
)

// colours reports whether parameters set nothing but colours and type. Text that blinks or is concealed cannot be read.
func colours(params ansi.Params) bool {
	if len(params) > mostParameters {
		return false
	}
	for i := 0; i < len(params); i++ {
		n := params[i].Param(0)
		switch {
		case n < 0 || n > 255:
			return false
		case n == foreground || n == background || n == underline:
			i += parametersOf(params[i:])
		case params[i].HasMore():
			for i < len(params)-1 && params[i].HasMore() { // a kind of underline
				i++
			}
		case n == slowBlink || n == fastBlink || n == conceal:
			return false
		}
	}
	return true
}

// parametersOf returns how many parameters after the first belong to a colour: 38;5;1, 38;2;1;2;3, 38:2::1:2:3.
func parametersOf(params ansi.Params) int {
	n := 0
	for n < len(params)-1 && params[n].HasMore() {
		n++
	}
	if n > 0 || len(params) < 2 {
		return n
	}
	switch params[1].Param(0) {
	case ofPalette:
		n = 2
	case inFull:
		n = 4
	}
	return min(n, len(params)-1)
}
