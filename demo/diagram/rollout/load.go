package rollout

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"github.com/fluxdemo/fluxdemo/demo/diagram/flowchart"
)

// Source is a mermaid diagram in a file.
type Source struct {
	Text string
	Line int // of its first line in the file, from 1
	Col  int // by how many columns it is indented
}

// Load reads a diagram and plans it. arg is the path of a Markdown file, such as a deck, or of one that is nothing but
// a diagram (.mmd, .mermaid), with #n behind it for the n-th diagram in it. Mistakes in the diagram have the file,
// line and column.
func Load(arg string) (*Plan, error) {
	file, number, err := split(arg)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the diagram: %w", err)
	}
	all := Find(file, raw)
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("%s: no diagram found; a diagram is a fenced block with the word mermaid", file)
	case number > len(all):
		return nil, fmt.Errorf("%s: there is no diagram %d; the file has %d", file, number, len(all))
	case number == 0 && len(all) > 1:
		var lines []string
		for i, s := range all {
			lines = append(lines, fmt.Sprintf("#%d in line %d", i+1, s.Line))
		}
		return nil, fmt.Errorf("%s: the file has %d diagrams; choose one: %s", file, len(all), strings.Join(lines, ", "))
	case number == 0:
		number = 1
	}
	s := all[number-1]
	chart, err := flowchart.Parse(s.Text)
	if err != nil {
		return nil, s.place(file, err)
	}
	plan, err := NewPlan(planName(file, number, len(all)), chart)
	if err != nil {
		return nil, s.place(file, err)
	}
	plan.File = filepath.Base(file)
	if len(all) > 1 {
		plan.File += "#" + strconv.Itoa(number)
	}
	return plan, nil
}

// planName is the name of the plan of a file's n-th diagram.
func planName(file string, number, of int) string {
	name := Slug(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	if of > 1 {
		name += "-" + strconv.Itoa(number)
	}
	if over := len(name) - longestName/2; over > 0 {
		name = strings.Trim(name[over:], "-")
	}
	return name
}

// Planned returns the targets that the nodes of a diagram in a file get when it runs, by their IDs, for binding.Bind;
// nil if it cannot run. source is the diagram's text.
func Planned(file, source string) map[string]string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	all := Find(file, raw)
	for i, each := range all {
		if strings.TrimSpace(each.Text) != strings.TrimSpace(source) {
			continue
		}
		chart, err := flowchart.Parse(each.Text)
		if err != nil {
			return nil
		}
		plan, err := NewPlan(planName(file, i+1, len(all)), chart)
		if err != nil {
			return nil
		}
		return plan.bindings()
	}
	return nil
}

// split reads FILE#n; number is 0 if there is none. A file may have a # in its name.
func split(arg string) (file string, number int, err error) {
	i := strings.LastIndex(arg, "#")
	if i < 0 {
		return arg, 0, nil
	}
	if _, err := os.Stat(arg); err == nil {
		return arg, 0, nil
	}
	number, err = strconv.Atoi(arg[i+1:])
	if err != nil || number < 1 {
		return "", 0, fmt.Errorf("%s: the part after # must be the number of a diagram, from 1", arg)
	}
	return arg[:i], number, nil
}

// place adds the file to a mistake in the diagram, and makes its line and column those in the file.
func (s Source) place(file string, err error) error {
	var mistake *flowchart.SyntaxError
	if !errors.As(err, &mistake) {
		return fmt.Errorf("%s: %w", file, err)
	}
	return fmt.Errorf("%s:%d:%d: %s", file, s.Line+mistake.Line-1, s.Col+mistake.Col, mistake.Msg)
}

// Find returns the diagrams in a file. One that ends in .mmd or .mermaid is one as a whole.
func Find(file string, raw []byte) []Source {
	if ext := filepath.Ext(file); ext == ".mmd" || ext == ".mermaid" {
		return []Source{{Text: string(raw), Line: 1}}
	}
	var all []Source
	doc := goldmark.DefaultParser().Parse(text.NewReader(raw))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		block, ok := n.(*ast.FencedCodeBlock)
		if !ok || !entering || string(block.Language(raw)) != "mermaid" {
			return ast.WalkContinue, nil
		}
		s := Source{Text: string(block.Lines().Value(raw))}
		before := len(raw)
		if block.Lines().Len() > 0 {
			before = block.Lines().At(0).Start
		} else if block.Info != nil {
			before = block.Info.Segment.Start
		}
		s.Line = strings.Count(string(raw[:before]), "\n") + 1
		s.Col = before - (strings.LastIndex(string(raw[:before]), "\n") + 1)
		all = append(all, s)
		return ast.WalkContinue, nil
	})
	return all
}
