package deck

import (
	"bytes"
	"fmt"
	"slices"
)

// source knows where a byte is in a file, and collects the problems found in it.
type source struct {
	file     string
	text     []byte
	lines    []int // offset of each line's first byte
	problems []Problem
	read     int // how many bytes were looked at, some of them again and again; tests hold it against the length
}

func newSource(file string, text []byte) *source {
	s := &source{file: file, text: text, lines: []int{0}}
	for at := 0; ; {
		end := bytes.IndexByte(text[at:], '\n')
		if end < 0 {
			return s
		}
		at += end + 1
		s.lines = append(s.lines, at)
	}
}

// position returns the line and column of an offset, both counted from 1.
func (s *source) position(offset int) (line, col int) {
	i, found := slices.BinarySearch(s.lines, offset)
	if !found {
		i--
	}
	return i + 1, offset - s.lines[i] + 1
}

// line returns the text of the i-th line, counted from 0, without its end.
func (s *source) line(i int) []byte {
	s.read += s.lineEnd(i) - s.lines[i]
	return bytes.TrimSuffix(s.text[s.lines[i]:s.lineEnd(i)], []byte("\n"))
}

// part returns the text of a span.
func (s *source) part(of span) []byte {
	s.read += of.end - of.start
	return s.text[of.start:of.end]
}

// lineEnd returns the offset after the i-th line, counted from 0.
func (s *source) lineEnd(i int) int {
	if i+1 < len(s.lines) {
		return s.lines[i+1]
	}
	return len(s.text)
}

func (s *source) errorf(offset int, format string, args ...any) {
	s.add(Error, offset, format, args...)
}

func (s *source) warnf(offset int, format string, args ...any) {
	s.add(Warning, offset, format, args...)
}

// problemLimit is how many problems of a file are reported.
const problemLimit = 1000

func (s *source) add(severity string, offset int, format string, args ...any) {
	if len(s.problems) >= problemLimit {
		return
	}
	line, col := s.position(offset)
	s.problems = append(s.problems, Problem{s.file, line, col, severity, fmt.Sprintf(format, args...)})
}

// sortProblems puts problems in the order of the file.
func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
}
