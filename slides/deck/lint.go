package deck

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fluxdemo/fluxdemo/demo/diagram/binding"
	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
)

// LintOptions say what a deck is checked against.
type LintOptions struct {
	// Steps returns the IDs of a walk's steps, or an error that says why there is no such walk. Nil: walks are not
	// checked.
	Steps func(walk string) ([]string, error)
}

// Lint returns the deck's Problems, and what is likely not meant though it can be read, in the order of the file.
func (d *Deck) Lint(o LintOptions) []Problem {
	l := &linter{deck: d, problems: slices.Clone(d.Problems)}
	for i := range d.Slides {
		s := &d.Slides[i]
		if !s.Cover && len(s.Blocks) == 0 {
			l.add(position{d.File, s.Line, 1}, Warning, "the slide has a title and nothing else")
		}
		for j := range s.Diagrams {
			l.diagram(&s.Diagrams[j])
		}
		if o.Steps != nil {
			l.walks(s, o.Steps)
		}
	}
	l.pace()
	sortProblems(l.problems)
	return l.problems
}

// linter collects problems.
type linter struct {
	deck     *Deck
	problems []Problem
}

func (l *linter) add(at position, severity, format string, args ...any) {
	if len(l.problems) < problemLimit {
		l.problems = append(l.problems, Problem{at.file, at.line, at.col, severity, fmt.Sprintf(format, args...)})
	}
}

// The pace at which an audience can follow.
const (
	fastest = 15 * time.Second
	slowest = 5 * time.Minute
)

// pace compares the allotted time with the number of slides.
func (l *linter) pace() {
	slides := len(l.deck.Slides) - 1
	if l.deck.Meta.AllottedTime == 0 || slides < 1 {
		return
	}
	each := (l.deck.Meta.AllottedTime / time.Duration(slides)).Round(time.Second)
	if each < fastest || each > slowest {
		l.add(l.deck.allotted, Warning, "%d slides after the title in %s: %s for each", slides, short(l.deck.Meta.AllottedTime), short(each))
	}
}

// diagram reads a flowchart as mermaid would. Of other diagrams only the kind is checked; a browser has to draw them.
func (l *linter) diagram(d *Diagram) {
	at := position{l.deck.File, d.Line, 1}
	if !flowchart.Is(d.Source) {
		if kind := diagramKind(d.Source); kind == "" {
			l.add(at, Error, "the diagram is empty")
		} else if !knownDiagram(kind) {
			l.add(at, Error, "mermaid has no diagram type %q", kind)
		}
		return
	}
	chart, err := flowchart.Parse(d.Source)
	var syntax *flowchart.SyntaxError
	if errors.As(err, &syntax) {
		at.line += syntax.Line - 1
		at.col = byteColumn(d.Source, syntax.Line, syntax.Col)
		l.add(at, Error, "mermaid cannot draw this: %s", syntax.Msg)
		return
	}
	if err != nil {
		l.add(at, Error, "mermaid cannot draw this: %v", err)
		return
	}
	if _, err := binding.Bind(chart, d.Bind, binding.DemoDefaults()); err != nil {
		l.add(at, Error, "%v", err)
	}
}

// byteColumn makes a column that counts characters one that counts bytes.
func byteColumn(source string, line, col int) int {
	for text := range strings.Lines(source) {
		if line--; line > 0 {
			continue
		}
		for i := range text {
			if col--; col == 0 {
				return i + 1
			}
		}
		return len(strings.TrimRight(text, "\n")) + 1
	}
	return 1
}

var (
	frontMatter  = regexp.MustCompile(`(?s)^\s*---\n.*?\n---\n`)
	mermaidNoise = regexp.MustCompile(`(?m)^\s*%%.*$`)
)

// diagramKind returns the first word of a diagram.
func diagramKind(source string) string {
	source = mermaidNoise.ReplaceAllString(frontMatter.ReplaceAllString(source, ""), "")
	word, _, _ := strings.Cut(strings.TrimSpace(source), "\n")
	if fields := strings.FieldsFunc(word, func(r rune) bool { return r == ' ' || r == '\t' || r == ';' || r == ':' }); len(fields) > 0 {
		return fields[0]
	}
	return ""
}

// knownDiagram reports whether mermaid 11 has the kind of diagram.
func knownDiagram(kind string) bool {
	return slices.Contains([]string{
		"sequenceDiagram", "classDiagram", "classDiagram-v2", "stateDiagram", "stateDiagram-v2", "erDiagram", "journey",
		"gantt", "pie", "quadrantChart", "requirementDiagram", "requirement", "gitGraph", "mindmap", "timeline", "kanban",
		"zenuml", "sankey", "sankey-beta", "xychart", "xychart-beta", "block", "block-beta", "packet", "packet-beta",
		"architecture", "architecture-beta", "radar", "radar-beta", "treemap", "treemap-beta", "info",
		"C4Context", "C4Container", "C4Component", "C4Dynamic", "C4Deployment", "flowchart-elk",
	}, kind)
}

// walks checks what a slide says can be run, and what is coming.
func (l *linter) walks(s *Slide, steps func(string) ([]string, error)) {
	if ref := s.Walk; ref.Walk != "" {
		ids, err := steps(ref.Walk)
		switch {
		case err != nil:
			l.add(ref.at, Error, "%v", err)
		case ref.Step != "" && !slices.Contains(ids, ref.Step):
			l.add(ref.at, Error, "the walk %s has no step %q; valid values: %s", ref.Walk, ref.Step, strings.Join(ids, ", "))
		}
	}
	if ref := s.Coming; ref.Walk != "" {
		if _, err := steps(ref.Walk); err == nil {
			l.add(ref.at, Warning, "the walk %s exists: remove coming", ref.Walk)
		}
	}
}
