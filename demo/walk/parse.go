package walk

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"go.abhg.dev/goldmark/frontmatter"
)

// Parse reads a walk. name is the file's name: it is shown in errors, and the walk is called after it.
// The error joins one *SyntaxError for each mistake, in the order of the file.
func Parse(name string, src []byte) (*Walk, error) {
	// Both kinds of line ends give the same lines and columns.
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	p := &reader{source: newSource(name, src), walk: &Walk{File: name}, ids: map[string]int{}}
	p.walk.Hash = fmt.Sprintf("%x", sha256.Sum256(src))
	p.walk.Name = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	if !walkName.MatchString(p.walk.Name) {
		p.errorf(1, 1, "%q is not a valid name for a walk: name the file with lower case letters, digits, and dashes", p.walk.Name)
	}
	if !frontClosed(p.source) {
		return nil, p.err()
	}
	md := goldmark.New(goldmark.WithExtensions(&frontmatter.Extender{Formats: []frontmatter.Format{frontmatter.YAML}}))
	ctx := parser.NewContext()
	doc := md.Parser().Parse(text.NewReader(src), parser.WithContext(ctx))
	parseFront(p.source, frontmatter.Get(ctx), p.walk)
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		p.block(n)
	}
	p.finish()
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.walk, nil
}

// reader turns the blocks of a Markdown document into a walk, from top to bottom.
type reader struct {
	*source
	walk    *Walk
	titled  bool           // the # heading was there
	section *Step          // what blocks are added to; nil before the first ## heading
	ids     map[string]int // a step's ID -> its line
}

func (p *reader) block(n ast.Node) {
	switch n := n.(type) {
	case *ast.Heading:
		p.heading(n)
	case *ast.FencedCodeBlock:
		p.fence(n)
	case *ast.HTMLBlock, *ast.ThematicBreak, *ast.LinkReferenceDefinition:
		// Only for readers on a forge: a <details> around an undo block is not narration.
	default:
		p.nested(n)
		start, stop := span(n)
		if start < 0 || start >= stop {
			return
		}
		line, _ := p.position(start)
		// From the line's first byte, so that a list keeps its bullet and a quote its mark.
		raw := strings.TrimRight(string(p.text[p.lines[line-1]:stop]), "\n")
		p.add(Block{Role: Prose, Line: line, Text: raw})
	}
}

func (p *reader) heading(n *ast.Heading) {
	title := plain(n, p.text)
	line := 1
	if pos := n.Pos(); pos >= 0 {
		line, _ = p.position(pos)
	}
	switch {
	case title == "":
		p.errorf(line, 1, "the heading is empty")
	case n.Level == 1 && p.titled:
		p.errorf(line, 1, "a second title: a walk has one # heading, and ## for its steps")
	case n.Level == 1:
		p.titled = true
		if p.section != nil {
			p.errorf(line, 1, "the title must come before the steps")
		}
		if p.walk.Title != "" && p.walk.Title != title {
			p.errorf(line, 1, "the heading %q and the front matter's title %q differ", title, p.walk.Title)
		}
		p.walk.Title = title
	case n.Level == 2:
		p.open(title, line)
	default:
		p.add(Block{Role: Prose, Line: line, Text: title})
	}
}

var notWord = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// open starts a step, or the setup or cleanup.
func (p *reader) open(title string, line int) {
	step := Step{Title: title, Line: line, ID: strings.Trim(notWord.ReplaceAllString(strings.ToLower(title), "-"), "-")}
	if at, twice := p.ids[step.ID]; twice {
		p.errorf(line, 1, "a step with this title is on line %d already", at)
	}
	p.ids[step.ID] = line
	if p.walk.Cleanup != nil {
		p.errorf(line, 1, "Cleanup must be the last heading")
	}
	switch step.ID {
	case "setup":
		if len(p.walk.Steps) > 0 {
			p.errorf(line, 1, "Setup must come before the first step")
		}
		p.walk.Setup = &step
		p.section = p.walk.Setup
	case "cleanup":
		p.walk.Cleanup = &step
		p.section = p.walk.Cleanup
	default:
		step.Number = len(p.walk.Steps) + 1
		p.walk.Steps = append(p.walk.Steps, step)
		p.section = &p.walk.Steps[len(p.walk.Steps)-1]
	}
}

func (p *reader) add(b Block) {
	if p.section != nil {
		p.section.Blocks = append(p.section.Blocks, b)
		return
	}
	if b.Role != Prose && b.Role != Listing && b.Role != Diagram {
		p.errorf(b.Line, 1, "commands must be under a ## heading")
	}
	p.walk.Intro = append(p.walk.Intro, b)
}

// finish reports what only shows when the whole file was read.
func (p *reader) finish() {
	w := p.walk
	if !p.titled {
		p.errorf(1, 1, "the walk has no title: write a # heading under the front matter")
	}
	if len(w.Steps) == 0 {
		p.errorf(1, 1, "the walk has no steps: each ## heading is a step")
	}
	for _, section := range []*Step{w.Setup, w.Cleanup} {
		if section == nil {
			continue
		}
		if len(section.Actions()) == 0 {
			p.errorf(section.Line, 1, "%s has no command", section.Title)
		}
		for _, b := range section.With(Undo, Solve, Task, Hint, Why) {
			p.errorf(b.Line, 1, "%s cannot have a block %s: only steps can", section.Title, b.Role)
		}
	}
	for i := range w.Steps {
		p.finishStep(&w.Steps[i])
	}
}

func (p *reader) finishStep(step *Step) {
	actions := step.Actions()
	changes, undo := step.With(Change), step.Undo()
	switch {
	case len(step.Checks()) == 0:
		p.errorf(step.Line, 1, "step %q has no check: end it with a block ```sh check that waits for its state", step.Title)
	case actions[len(actions)-1].Role != Check:
		p.errorf(actions[len(actions)-1].Line, 1, "nothing checks what this block does: the last block of a step must be a check")
	}
	if checks := step.Checks(); len(changes) > 0 && len(checks) > 0 && !slices.ContainsFunc(checks, func(b Block) bool { return !b.Always }) {
		p.errorf(checks[0].Line, 1, "all checks of step %q are always: it would be done before it begins", step.Title)
	}
	if len(changes) > 0 && len(undo) == 0 && (p.walk.Clone == "" || !step.onlyFleet()) {
		p.errorf(changes[0].Line, 1, "step %q changes something and has no undo: add a block ```sh undo, or mark this one look if it only looks", step.Title)
	}
	if solve := step.With(Solve); len(changes) == 0 && len(solve) > 0 {
		p.errorf(solve[0].Line, 1, "step %q changes nothing, so there is nothing to solve", step.Title)
	}
	if len(changes) == 0 && len(undo) > 0 {
		p.errorf(undo[0].Line, 1, "step %q changes nothing, so there is nothing to undo", step.Title)
	}
}
