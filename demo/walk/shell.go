package walk

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// parseShell cuts a block into its top-level commands. first is the line of the block's first text in the file, and
// indents says how many bytes of each line the Markdown parser took away.
func parseShell(s *source, b *Block, first int, indents []int) {
	position := func(p syntax.Pos) (line, col int) {
		n := int(p.Line()) - 1
		col = int(p.Col())
		if n >= 0 && n < len(indents) {
			col += indents[n]
		}
		return first + max(n, 0), max(col, 1)
	}
	parse := func(variant syntax.LangVariant) (*syntax.File, error) {
		return syntax.NewParser(syntax.Variant(variant), syntax.KeepComments(true)).Parse(strings.NewReader(b.Text), "")
	}
	// The interpreter is a Bash, so that is what it is given; but what is marked sh has to work in every shell.
	file, err := parse(syntax.LangBash)
	if _, bash := runnable(b.Lang); !bash && err == nil {
		_, err = parse(syntax.LangPOSIX)
	}
	if err != nil {
		var bad syntax.ParseError
		var lang syntax.LangError
		switch {
		case errors.As(err, &bad):
			line, col := position(bad.Pos)
			s.errorf(line, col, "shell: %s", bad.Text)
		case errors.As(err, &lang):
			line, col := position(lang.Pos)
			s.errorf(line, col, "shell: not every sh has %s: mark the block bash", lang.Feature)
		default:
			s.errorf(first, 1, "shell: %v", err)
		}
		return
	}
	for i, stmt := range file.Stmts {
		line, col := position(stmt.Pos())
		c := ShellCommand{Line: line, Col: col, Comment: above(stmt), stmt: stmt}
		end := stmt.End().Offset()
		if stmt.Semicolon.IsValid() {
			end = stmt.Semicolon.Offset()
		}
		syntax.Walk(stmt, func(n syntax.Node) bool {
			switch n := n.(type) {
			case *syntax.Stmt:
				if n.Background {
					line, col := position(n.Semicolon)
					s.errorf(line, col, "a command in the background would outlive its step: remove the &")
				}
			case *syntax.Redirect:
				// The text of a here-document is behind its command, up to the next one.
				if n.Hdoc != nil {
					end = uint(len(b.Text))
					if i+1 < len(file.Stmts) {
						end = file.Stmts[i+1].Pos().Offset()
					}
				}
			}
			return true
		})
		start := stmt.Pos().Offset()
		c.Text = string(bytes.TrimSpace([]byte(b.Text)[start:max(start, min(end, uint(len(b.Text))))]))
		b.Commands = append(b.Commands, c)
	}
	if len(b.Commands) == 0 {
		s.errorf(b.Line, 1, "the block has no command")
	}
}

// above returns the text of the comment that ends on the line above a statement.
func above(stmt *syntax.Stmt) string {
	var lines []string
	next := stmt.Pos().Line()
	for _, c := range slices.Backward(stmt.Comments) {
		if c.Pos().Line()+1 == next {
			lines, next = append(lines, strings.TrimSpace(c.Text)), c.Pos().Line()
		}
	}
	slices.Reverse(lines)
	return strings.Join(lines, " ")
}

// changesDir reports whether the command only goes to another folder.
func (c *ShellCommand) changesDir() bool {
	call, is := c.stmt.Cmd.(*syntax.CallExpr)
	return is && len(call.Assigns) == 0 && len(call.Args) > 0 && call.Args[0].Lit() == "cd"
}
