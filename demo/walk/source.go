package walk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// SyntaxError is one mistake in a walk's file.
type SyntaxError struct {
	File      string
	Line, Col int // counted from 1, columns in bytes
	Msg       string
}

// Error returns "file:line:col: message", the form that editors can jump to.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

// source knows where a byte offset is in the file, and collects the mistakes found in it.
type source struct {
	file  string
	text  []byte
	lines []int // offset of each line's first byte
	errs  []*SyntaxError
}

func newSource(file string, text []byte) *source {
	s := &source{file: file, text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// position returns the line and column of an offset, both counted from 1.
func (s *source) position(offset int) (line, col int) {
	i, found := slices.BinarySearch(s.lines, offset)
	if !found {
		i--
	}
	return i + 1, offset - s.lines[i] + 1
}

// line returns the text of a line (counted from 1) without its end; "" when there is no such line.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	end := len(s.text)
	if n < len(s.lines) {
		end = s.lines[n] - 1
	}
	return string(s.text[s.lines[n-1]:end])
}

func (s *source) errorf(line, col int, format string, args ...any) {
	s.errs = append(s.errs, &SyntaxError{File: s.file, Line: line, Col: col, Msg: fmt.Sprintf(format, args...)})
}

// err joins all mistakes in the order of the file; nil when there are none.
func (s *source) err() error {
	slices.SortStableFunc(s.errs, func(a, b *SyntaxError) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	var errs []error
	for _, e := range s.errs {
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}
